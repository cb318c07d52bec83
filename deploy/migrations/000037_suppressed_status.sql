-- On its own: a new word of an enum may be used only after the transaction that brought it.
alter type mail_status add value if not exists 'suppressed' after 'bounced';

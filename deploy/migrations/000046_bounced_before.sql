-- no transaction
-- Whether the same address bounced in an earlier mail, at its provider or in a report.
create index concurrently recipient_bounced on recipient (lower(address collate "C")) where status = 'bounced';

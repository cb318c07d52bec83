-- What is scheduled and not finished, soonest first: among a million mails that were, they are few and at the far end.
create index scheduled_email_not_finished on email (due_at, id)
  where kind = 'scheduled' and status in ('uncertain', 'held', 'sending', 'deferred', 'queued', 'pending');

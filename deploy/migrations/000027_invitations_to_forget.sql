-- no transaction
-- Invitations that nobody accepted, the oldest first.
create index concurrently invitation_to_forget on invitation (expires_at) where accepted_at is null;

-- A hold on a sender that was lifted stays on record for a while: a relay that had not heard of it yet may have put
-- more mail aside, which is released by it.
alter table sender_hold add column lifted_at timestamptz;

-- With IDLE=sleep a process says that it sleeps, and until when. Null while it is awake.
alter table heartbeat add column asleep_since timestamptz, add column asleep_until timestamptz;

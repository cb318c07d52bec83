-- What became of recipients in each hour, and how long it took: the plots of a week read 168 rows, however much mail there
-- is. The api counts behind the mail; an hour in which nothing ended and no queue changed has no row.
create table mail_hour (
  hour          timestamptz primary key,
  -- What ended before this is in the rows. The next count begins here, and of two at once only one is stored.
  counted_until timestamptz not null,
  -- The provider answered 250, the provider refused, the time ran out, and a delivery report came after the 250.
  accepted      integer not null,
  refused       integer not null,
  expired       integer not null,
  returned      integer not null,
  -- How many waited to be sent: the most that one of the samples saw, and the last one. Null without a sample.
  waiting_most  integer,
  waiting_last  integer,
  -- How many of the accepted took from 10^(n/8) ms to 10^((n+1)/8) ms, n from 0: unlike percentiles, these can be added up.
  delays        integer[] not null
);

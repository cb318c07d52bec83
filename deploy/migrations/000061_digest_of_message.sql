-- What makes a second submission the same as a first one: of credential, envelope and bytes, where the client brought a
-- Message-ID of its own. Until now such mail had a row in submission, which is kept for X-Postern-Idempotency-Key and for
-- what older processes accept. A fifth of what acceptance wrote besides the mail itself was that row and its indexes.
alter table message add column digest uuid;

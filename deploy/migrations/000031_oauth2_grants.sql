-- Access and refresh tokens of providers that are signed in to with OAuth2, sealed with a key that only the settings of
-- the relay give. Belongs to relay/tokens.
create table oauth2_grant (
  -- A digest of provider, tenant, client, scope, account and secret: relays with other settings have another row.
  key         bytea primary key,
  salt        bytea,
  sealed      bytea,
  expires_at  timestamptz,
  -- At 80 % of its life.
  renew_at    timestamptz,
  -- After a request that came to nothing.
  next_try_at timestamptz,
  -- The relay that asks the endpoint now, for all of them.
  taken_by    uuid,
  taken_until timestamptz,
  stored_at   timestamptz not null default now(),
  constraint what_is_sealed_has_its_salt check ((salt is null) = (sealed is null)),
  constraint who_asks_has_a_limit check ((taken_by is null) = (taken_until is null))
);
create index oauth2_grant_stored_at on oauth2_grant (stored_at);

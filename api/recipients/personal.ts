// The whole list of what may know a person: the tables of the mail, and here those of the api. test/hostile compares it
// with the database, column by column.
import { mailTables, type PersonalTable, type Treatment } from '../../relay/client/erasure/personal.ts';

const fixed: Treatment = { never: 'one of a fixed list of words' };
const digest: Treatment = { never: 'random, or a digest' };
const account: Treatment = { own: 'an account is deleted by itself: the answer names it' };

/** The tables of the api. */
export const apiTables: Readonly<Record<string, PersonalTable>> = {
  customer: {
    key: 'id',
    keyType: 'uuid',
    columns: { name: 'words', email: account, status: fixed },
  },
  owner: { key: 'id', keyType: 'uuid', columns: { name: 'words', email: account } },
  invitation: { key: 'id', keyType: 'uuid', columns: { token_hash: digest } },
  application: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      status: fixed,
      company: 'words',
      contact_name: 'words',
      email: { own: 'with it goes everything the applicant wrote' },
      phone: 'words',
      website: 'words',
      message: 'words',
      note: 'words',
      reason: 'words',
    },
  },
  unsubscribe_key: { key: 'only_row', keyType: 'boolean', columns: { key: digest } },
  template: {
    key: 'kind',
    columns: { kind: fixed, subject: 'words', text: 'words', html: 'words' },
  },
  api_key: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      name: 'words',
      secret_hash: digest,
      old_secret_hash: digest,
      ending: digest,
      scopes: fixed,
      senders: { never: 'who the applications of this installation send as' },
      tags: { never: 'letters, digits, _ and - only, so it holds no address' },
    },
  },
  key_usage: { key: 'key_id', keyType: 'uuid', columns: {} },
  idempotency_key: {
    key: 'principal',
    columns: {
      principal: { never: 'the id of a key, or the network of a stranger' },
      method: fixed,
      path: { own: 'deleted where any column names the person' },
      key: { own: 'deleted where any column names the person' },
      fingerprint: digest,
      answer: { own: 'deleted where any column names the person' },
    },
  },
  rate_window: {
    key: 'subject',
    columns: { subject: { never: 'an operation, and the id of a key or a network' } },
  },
  dashboard_session: { key: 'token_hash', keyType: 'bytea', columns: { token_hash: digest } },
  dashboard_user: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      // Names that are made here have no @; an identity provider may call somebody by an address.
      name: 'words',
      role: fixed,
      password_hash: digest,
      password_salt: digest,
      issuer: { never: "the operator's configuration" },
      subject: { never: "the identity provider's own id of somebody who works here" },
    },
  },
  // It is never changed, so it names nobody: who and what are ids, and an address is its keyed digest.
  audit_entry: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      actor_kind: fixed,
      act: fixed,
      object_kind: fixed,
      object_id: { never: 'an id, a domain of ours, or the keyed digest of an address' },
      before: { never: 'words of fixed lists, numbers and times' },
      after: { never: 'words of fixed lists, numbers and times' },
    },
  },
  search_document: {
    key: 'email_id',
    keyType: 'uuid',
    columns: { words: { own: 'written again from the mail' } },
  },
  mail_hour: { key: 'hour', keyType: 'timestamptz', columns: { delays: { never: 'numbers' } } },
  mail_minute: { key: 'minute', keyType: 'timestamptz', columns: {} },
  postern_migration: { key: 'id', keyType: 'integer', columns: { name: fixed, checksum: digest } },
};

export const personalTables: Readonly<Record<string, PersonalTable>> = { ...mailTables, ...apiTables };

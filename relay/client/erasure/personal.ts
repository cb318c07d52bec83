// What our tables know of a person: every column that can hold text, and what an erasure does to it. A column that is in
// no list makes a test fail, so a new table or column is decided here (api/recipients/personal.ts for those of the api).

/**
 * `words` and `document` (jsonb) are redacted in place: the address is replaced wherever it stands. For rows that
 * otherwise never change this is the one update there is. `own` has statements of its own, `never` cannot hold the
 * address of a person whom somebody writes to; both say why.
 */
export type Treatment = 'words' | 'document' | { readonly own: string } | { readonly never: string };

export type PersonalTable = {
  /** An indexed column that its rows are read by, a page at a time, with its type where that is not text. */
  readonly key: string;
  readonly keyType?: 'text' | 'uuid' | 'bigint' | 'integer' | 'boolean' | 'bytea' | 'timestamptz';
  readonly columns: Readonly<Record<string, Treatment>>;
  /** Rows that may be changed now. */
  readonly only?: string;
  /** Set beside the redacted columns. */
  readonly also?: string;
};

const fixed: Treatment = { never: 'one of a fixed list of words' };
const digest: Treatment = { never: 'random, or a digest' };
const tag: Treatment = { never: 'letters, digits, _ and - only, so it holds no address' };
const operators = { never: "the operator's configuration, written again by every running process" } as const;

/** The tables of relay/ and relay/client/. */
export const mailTables = {
  // Before the email, in the order of the relay.
  recipient: {
    key: 'queue_id',
    columns: {
      queue_id: digest,
      address: { own: 'mail that has not left needs it' },
      reason: fixed,
      reason_detail: 'words',
      route: operators,
      enhanced_code: fixed,
      reply: 'words',
      provider_queue_id: 'words',
      notify: fixed,
      stage: fixed,
      sent_by: 'document',
      orcpt: { own: 'in xtext: cleared where it names the person' },
    },
  },
  email: {
    key: 'id',
    keyType: 'uuid',
    // What the relay has goes out byte for byte, so it is erased when it is over.
    only: '(t.finished_at is not null or t.queue_id is null)',
    // Whoever is handing over the old words is refused by the new token.
    also: `revision = t.revision + 1, updated_at = now(),
      token = decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')`,
    columns: {
      kind: fixed,
      reason: fixed,
      reason_detail: 'words',
      client_id: { own: 'the key of a form: renamed together with it' },
      entry_key: { own: 'is unique: renamed' },
      from_address: { own: 'mail that has not left needs its sender' },
      from_name: 'words',
      reply_to: { own: 'the entry goes, so that no answer goes nowhere' },
      recipients: { own: 'decides which mail is about the person' },
      subject: 'words',
      text_body: 'words',
      html_body: 'words',
      headers: 'document',
      message_id: { own: 'mail that has not left needs it' },
      time_zone: fixed,
      local_time: fixed,
      on_uncertain: fixed,
      token: digest,
      queue_id: digest,
      traceparent: digest,
      tags: tag,
      stream: tag,
    },
  },
  email_attachment: {
    key: 'email_id',
    keyType: 'uuid',
    columns: {
      filename: { own: 'deleted with its content' },
      content_type: fixed,
      content_id: { own: 'deleted with its content' },
      content: { own: 'deleted where it names the person' },
    },
  },
  event: {
    key: 'id',
    keyType: 'bigint',
    columns: { type: fixed, queue_id: digest, recipient: 'words', detail: 'document' },
  },
  message: {
    key: 'queue_id',
    only: `not exists (select from recipient r where r.queue_id = t.queue_id and r.finished_at is null)`,
    columns: {
      queue_id: digest,
      credential: operators,
      sender: 'words',
      header_from: 'words',
      message_id: 'words',
      subject: 'words',
      on_uncertain: fixed,
      ret: fixed,
      tags: tag,
      stream: tag,
      submitted: 'document',
      again_of: digest,
      envid: { own: 'in xtext: cleared where it names the person' },
    },
  },
  message_part: {
    key: 'queue_id',
    columns: { queue_id: digest, content: { own: 'deleted where it names the person' } },
  },
  bounce_mailbox: {
    key: 'key',
    columns: {
      key: operators,
      state: fixed,
      cause: fixed,
      detail: { never: "the mail server's word about our login" },
    },
  },
  bounce_folder: { key: 'mailbox', columns: { mailbox: operators, folder: operators } },
  canary: {
    key: 'token',
    columns: {
      token: digest,
      domain: operators,
      sender: operators,
      recipient: operators,
      queue_id: digest,
      folder: operators,
      result: fixed,
      findings: { never: "what servers say of the operator's own mail" },
      selectors: operators,
    },
  },
  bounce_report: { key: 'digest', keyType: 'bytea', columns: { digest, outcome: fixed, why: fixed } },
  lane_refusal: {
    key: 'lane',
    columns: { lane: operators, cause: fixed, recipient: digest, queue_id: digest },
  },
  oauth2_grant: { key: 'key', keyType: 'bytea', columns: { key: digest, salt: digest, sealed: digest } },
  unknown_reply: {
    key: 'fingerprint',
    keyType: 'bytea',
    columns: { fingerprint: digest, template: 'words', cause: fixed },
  },
  notice_owed: { key: 'queue_id', columns: { queue_id: digest, action: fixed } },
  refusal: {
    key: 'key',
    columns: {
      key: digest,
      client: { never: 'the address of an application' },
      credential: 'words',
      stage: fixed,
      reason: fixed,
      sender: 'words',
      reply: 'words',
    },
  },
  login_proof: {
    key: 'credential',
    columns: { credential: operators, network: { never: 'the address of an application' } },
  },
  login_failure: { key: 'key', columns: { key: digest } },
  submission: {
    key: 'credential',
    columns: { credential: operators, key: digest, queue_id: digest, digest },
  },
  client_email_config: {
    key: 'client_id',
    also: 'updated_at = now()',
    columns: {
      client_id: { own: 'the key of a form: renamed together with its mail' },
      recipients: { own: 'the entry goes' },
      reply_to: { own: 'the entry goes' },
      from_name: 'words',
      time_zone: fixed,
      tags: tag,
      stream: tag,
    },
  },
  lane: {
    key: 'key',
    columns: { key: operators, name: operators, state: fixed, cause: fixed, detail: 'words' },
  },
  route: { key: 'lane', columns: { lane: operators, name: operators, state: fixed, cause: fixed } },
  sender_hold: {
    key: 'lane',
    columns: {
      lane: operators,
      sender: operators,
      cause: fixed,
      causes: fixed,
      stage: fixed,
      asked_for: digest,
      detail: 'words',
    },
  },
  sign_in: { key: 'lane', columns: { lane: operators, reply: 'words' } },
  connection_slot: { key: 'lane', columns: { lane: operators } },
  lane_usage: { key: 'lane', columns: { lane: operators } },
  lane_replica: { key: 'instance', keyType: 'uuid', columns: {} },
  lane_closure: { key: 'from_at', keyType: 'timestamptz', columns: {} },
  open_clock: { key: 'only_row', keyType: 'boolean', columns: {} },
  database_identity: {
    key: 'only_row',
    keyType: 'boolean',
    columns: { system_identifier: digest, restored_up_to_message: digest, asked: digest },
  },
  heartbeat: { key: 'instance', keyType: 'uuid', columns: { process: fixed, report: operators } },
  sender_domain: {
    key: 'domain',
    columns: {
      domain: operators,
      provider: fixed,
      result: fixed,
      settled: fixed,
      findings: { never: "the operator's own records, as the world can read them" },
      receivers: fixed,
    },
  },
  doctor_run: { key: 'id', keyType: 'uuid', columns: { walks: 'document', report: 'document' } },
  webhook: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      url: operators,
      events: fixed,
      description: operators,
      tags: operators,
      disabled_cause: fixed,
    },
  },
  webhook_secret: { key: 'webhook_id', keyType: 'uuid', columns: { secret: digest } },
  webhook_delivery: {
    key: 'id',
    keyType: 'uuid',
    // Also of what still waits: an erased person is named to nobody.
    columns: {
      type: fixed,
      data: 'document',
      queue_id: digest,
      answer: 'words',
      error: 'words',
    },
  },
  suppression: {
    key: 'id',
    keyType: 'uuid',
    columns: {
      address: { own: 'goes; its digest stays, so that the person stays unwritten' },
      digest,
      digest_unicode: digest,
      stream: fixed,
      reason: fixed,
      cause: fixed,
      source_queue_id: digest,
      source: fixed,
      reply: 'words',
      note: 'words',
    },
  },
  suppression_key: { key: 'only_row', keyType: 'boolean', columns: { key: digest } },
  cause: { key: 'slug', columns: { slug: fixed, title: fixed, meaning: fixed, fix: fixed } },
} as const satisfies Readonly<Record<string, PersonalTable>>;

// The same request twice is one change and one answer (draft-ietf-httpapi-idempotency-key-header-07).
// The key's row is written by the transaction that did the work, so there is no state in which one exists
// without the other; an advisory lock makes a second request that comes meanwhile answer at once instead
// of waiting. Refused requests leave no key: they changed nothing and may be corrected and sent again.
import { createHash, type Hash, randomUUID } from 'node:crypto';
import type { Queryable } from '../deploy/database.ts';
import { takeTurn } from '../deploy/turn.ts';
import { Problem } from './problem.ts';

export type IdempotentRequest = {
  readonly principal: string;
  readonly method: string;
  readonly path: string;
  readonly key: string;
  /** Of the body (`fingerprintOf`). */
  readonly fingerprint: Buffer;
};

export type StoredAnswer = { status: number; body: string | null };

/** Checks the header's form: 1 to 256 visible ASCII characters. */
export function readIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (/^[\x21-\x7e]{1,256}$/.test(header)) return header;
  throw new Problem('invalid-fields', 'Idempotency-Key must be 1 to 256 visible ASCII characters.', {
    errors: [
      { in: 'header', pointer: '#/Idempotency-Key', detail: 'must be 1 to 256 visible ASCII characters' },
    ],
  });
}

/**
 * Takes the key for this transaction, or returns the answer that was stored for it. Throws `request-running`
 * while another transaction has it and `idempotency-key-reused` when it came with another body.
 */
export async function claimKey(tx: Queryable, request: IdempotentRequest): Promise<StoredAnswer | undefined> {
  const lock = await tx.query<{ taken: boolean }>({
    name: 'idempotency-lock',
    text: 'select pg_try_advisory_xact_lock($1::bigint) as taken',
    values: [lockNumber(request)],
  });
  if (!lock.rows[0]?.taken) {
    throw new Problem('request-running', 'A request with this Idempotency-Key is still running.', {
      headers: { 'retry-after': '1' },
    });
  }
  // A statement of its own, after the lock: it sees what the lock's last holder committed.
  const { rows } = await tx.query<{ fingerprint: Buffer; status: number; answer: string | null }>({
    name: 'idempotency-lookup',
    text: `
      select fingerprint, status, answer from idempotency_key
      where principal = $1 and method = $2 and path = $3 and key = $4`,
    values: [request.principal, request.method, request.path, request.key],
  });
  const stored = rows[0];
  if (!stored) return undefined;
  if (!stored.fingerprint.equals(request.fingerprint)) {
    throw new Problem(
      'idempotency-key-reused',
      'This Idempotency-Key was used with another body. Use a new key for a new request.',
    );
  }
  if (stored.answer === null && stored.status !== 204) {
    throw new Problem(
      'answer-was-secret',
      'This request was already carried out. Its answer holds a secret, which is shown once and not stored.',
    );
  }
  return { status: stored.status, body: stored.answer };
}

/**
 * Stores the answer in the transaction of its work. A key lasts at least a day, and for mail that is
 * scheduled a day longer than that.
 *
 * @param answer the body's JSON, or null when there is none or it holds a secret
 */
export async function storeAnswer(
  tx: Queryable,
  request: IdempotentRequest,
  { status, answer, keepUntil }: { status: number; answer: string | null; keepUntil: Date | undefined },
): Promise<void> {
  await tx.query({
    name: 'idempotency-store',
    text: `
      insert into idempotency_key (principal, method, path, key, fingerprint, status, answer, keep_until)
      values ($1, $2, $3, $4, $5, $6, $7, greatest(now(), $8) + interval '24 hours')`,
    values: [
      request.principal,
      request.method,
      request.path,
      request.key,
      request.fingerprint,
      status,
      answer,
      keepUntil ?? null,
    ],
  });
}

/** Replaces a stored answer by the one that was given once the hand-over had been tried, so that both are the same. */
export async function amendAnswer(
  database: Queryable,
  request: IdempotentRequest,
  answer: string,
): Promise<void> {
  await database.query({
    name: 'idempotency-amend',
    text: `
      update idempotency_key set answer = $5
      where principal = $1 and method = $2 and path = $3 and key = $4`,
    values: [request.principal, request.method, request.path, request.key, answer],
  });
}

/** What tells two bodies apart. A file counts as its base64, as it came. */
export async function fingerprintOf(body: unknown): Promise<Buffer> {
  await takeTurn();
  const hash = createHash('sha256');
  const files: Buffer[] = [];
  const nonce = randomUUID();
  const sorted = inOrder(body ?? null, (file) => `${nonce}${files.push(file) - 1}`);
  await takeTurn();
  const [first = '', ...others] = JSON.stringify(sorted).split(nonce);
  await updateBy(hash, first);
  for (const text of others) {
    const end = text.indexOf('"');
    const file = files[Number(text.slice(0, end))] ?? Buffer.alloc(0);
    for (let from = 0; from < file.length; from += base64Slice) {
      await takeTurn();
      hash.update(file.toString('base64', from, Math.min(file.length, from + base64Slice)));
    }
    await updateBy(hash, text.slice(end));
  }
  return hash.digest();
}

async function updateBy(hash: Hash, text: string): Promise<void> {
  const octets = Buffer.from(text);
  for (let from = 0; from < octets.length; from += octetSlice) {
    await takeTurn();
    hash.update(octets.subarray(from, from + octetSlice));
  }
}

/** A multiple of three, so that the slices make the base64 of the whole. */
const base64Slice = 393_216;
const octetSlice = 1_048_576;

/** In the spirit of RFC 8785: members in order of their names, so that a client may serialise as it likes. */
function inOrder(value: unknown, nameOf: (file: Buffer) => string): unknown {
  if (Buffer.isBuffer(value)) return nameOf(value);
  if (Array.isArray(value)) return value.map((each) => inOrder(each, nameOf));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, inner]) => [name, inOrder(inner, nameOf)]));
}

function lockNumber({ principal, method, path, key }: IdempotentRequest): string {
  const digest = createHash('sha256').update([principal, method, path, key].join('\n')).digest();
  return digest.readBigInt64BE().toString();
}

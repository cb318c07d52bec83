// API keys: made here, shown once, kept as a digest, revoked at once.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import { hashSecret, type Scope, scopes } from '../authenticate.ts';
import { id, instant, line, pageOf, pageQuery, toPage } from '../fields.ts';
import { changes, type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import { defaultPerMinute } from '../rate-limit.ts';

const tag = 'Keys';

const keyShape = {
  id,
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  ending: z.string().meta({ description: 'The last four characters of the secret.' }),
  rate_per_minute: z.int(),
  created_at: instant,
  revoked_at: instant.nullable(),
};

const keyView = z.strictObject(keyShape).meta({ id: 'Key' });

type KeyRow = {
  id: string;
  name: string;
  scopes: Scope[];
  ending: string;
  rate_per_minute: number | null;
  created_at: Date;
  revoked_at: Date | null;
};

const keyColumns = 'id, name, scopes, ending, rate_per_minute, created_at, revoked_at';

export function keyOperations({ database }: { database: Database }): Operation[] {
  return [
    changes({
      id: 'createKey',
      method: 'post',
      path: '/api/v1/keys',
      tag,
      summary: 'Create an API key',
      description: 'The secret is in this answer and nowhere else; only its digest is stored.',
      scope: 'admin',
      idempotency: 'secret',
      body: z
        .strictObject({
          name: line(100),
          scopes: z
            .array(z.enum(scopes))
            .min(1, 'must name at least one scope')
            .max(scopes.length)
            .refine((given) => new Set(given).size === given.length, { error: 'must not repeat a scope' }),
          rate_per_minute: z
            .int()
            .min(1, 'must be at least 1')
            .max(10_000_000, 'must be at most 10000000')
            .optional()
            .meta({ description: `Requests a minute over all replicas; ${defaultPerMinute} unless told.` }),
        })
        .meta({ id: 'KeyDraft' }),
      bodyExample: { name: 'Shop backend', scopes: ['send'] },
      answers: {
        201: {
          description: 'Created. Keep `secret`: it is not shown again.',
          schema: z.strictObject({ ...keyShape, secret: z.string() }),
        },
      },
      async handle({ body }, tx) {
        // The prefix lets secret scanners and people recognise what they found.
        const secret = `postern_${randomBytes(32).toString('base64url')}`;
        const { rows } = await tx.query<KeyRow>(
          `insert into api_key (id, name, secret_hash, ending, scopes, rate_per_minute)
           values ($1, $2, $3, $4, $5, $6) returning ${keyColumns}`,
          [
            uuidv7(),
            body.name,
            hashSecret(secret),
            secret.slice(-4),
            body.scopes,
            body.rate_per_minute ?? null,
          ],
        );
        return { status: 201, body: { ...toKeyView(rows[0] as KeyRow), secret } };
      },
    }),

    reads({
      id: 'listKeys',
      method: 'get',
      path: '/api/v1/keys',
      tag,
      summary: 'List API keys, newest first, revoked ones included',
      scope: 'admin',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'A page of keys.', schema: pageOf(keyView) } },
      async handle({ query }) {
        const { rows } = await database.query<KeyRow>(
          `select ${keyColumns} from api_key where $1::uuid is null or id < $1 order by id desc limit $2`,
          [query.after ?? null, query.limit + 1],
        );
        return { status: 200, body: toPage(rows.map(toKeyView), query.limit) };
      },
    }),

    changes({
      id: 'revokeKey',
      method: 'delete',
      path: '/api/v1/keys/{id}',
      tag,
      summary: 'Revoke an API key',
      description: 'It stops working at once, on all replicas. Revoking it again changes nothing.',
      scope: 'admin',
      params: z.strictObject({ id }),
      answers: { 200: { description: 'Revoked.', schema: keyView } },
      async handle({ path }, tx) {
        const { rows } = await tx.query<KeyRow>(
          `update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1 returning ${keyColumns}`,
          [path.id],
        );
        if (!rows[0]) throw new Problem('not-found', `There is no key ${path.id}.`);
        return { status: 200, body: toKeyView(rows[0]) };
      },
    }),
  ];
}

function toKeyView(row: KeyRow): z.output<typeof keyView> {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    ending: row.ending,
    rate_per_minute: row.rate_per_minute ?? defaultPerMinute,
    created_at: row.created_at.toISOString(),
    revoked_at: row.revoked_at?.toISOString() ?? null,
  };
}

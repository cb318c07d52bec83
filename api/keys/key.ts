// An API key as the API shows it: never its secret.
import { z } from 'zod';
import { scopes } from '../authenticate.ts';
import { id, instant } from '../fields.ts';
import { defaultPerMinute } from '../rate-limit.ts';
import type { KeyRow } from './store.ts';

export const keyShape = {
  id,
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  ending: z.string().meta({ description: 'The last four characters of the secret.' }),
  rate_per_minute: z.int(),
  created_at: instant,
  revoked_at: instant.nullable(),
};

export const keyView = z.strictObject(keyShape).meta({ id: 'Key' });

export function toKeyView(row: KeyRow): z.output<typeof keyView> {
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

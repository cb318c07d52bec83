// An API key as the API shows it: never its secret.
import { z } from 'zod';
import { isAllowedSender } from '../../relay/client/address/allowed-senders.ts';
import { scopes } from '../authenticate.ts';
import { id, instant } from '../fields.ts';
import { Problem } from '../problem.ts';
import { defaultPerMinute } from '../rate-limit.ts';
import { tagList } from '../tags.ts';
import type { KeyRow } from './store.ts';

export const keyPath = z.strictObject({ id });

export const keyShape = {
  id,
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  ending: z.string().meta({ description: 'The last four characters of the secret.' }),
  rate_per_minute: z.int(),
  senders: z.array(z.string()).meta({ description: 'Empty: whoever the relay allows.' }),
  senders_not_allowed: z.array(z.string()).meta({
    description:
      'Those of `senders` that the relay does not allow now (SMTP_ALLOWED_SENDERS): their mail is refused.',
  }),
  tags: tagList,
  per_hour: z.int().nullable(),
  per_day: z.int().nullable(),
  used: z
    .strictObject({ hour: z.int(), day: z.int() })
    .meta({ description: 'Recipients of this hour and this day (UTC). Counted for keys with such a limit.' }),
  expires_at: instant.nullable(),
  expired: z.boolean(),
  last_used_at: instant.nullable().meta({ description: 'Over HTTP or SMTP, to the minute.' }),
  old_secret_until: instant.nullable().meta({
    description: 'How long the secret before the last rotation is still taken; null when none is.',
  }),
  created_at: instant,
  revoked_at: instant.nullable(),
};

export const keyView = z.strictObject(keyShape).meta({ id: 'Key' });

/** @param allowedSenders those of the relay; undefined while no relay has said which */
export function toKeyView(
  row: KeyRow,
  allowedSenders: readonly string[] | undefined,
): z.output<typeof keyView> {
  const senders = [...(row.senders ?? [])];
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    ending: row.ending,
    rate_per_minute: row.ratePerMinute ?? defaultPerMinute,
    senders,
    senders_not_allowed: notAllowed(senders, allowedSenders),
    tags: [...row.tags],
    per_hour: row.perHour,
    per_day: row.perDay,
    used: { hour: row.hourUsed, day: row.dayUsed },
    expires_at: row.expiresAt?.toISOString() ?? null,
    expired: row.isExpired,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    old_secret_until: row.oldSecretUntil?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    revoked_at: row.revokedAt?.toISOString() ?? null,
  };
}

export const notAllowed = (senders: readonly string[], allowed: readonly string[] | undefined): string[] =>
  allowed ? senders.filter((entry) => !isAllowedSender(entry, allowed)) : [];

export const noSuchKey = (keyId: string) => new Problem('not-found', `Key ${keyId} not found.`);

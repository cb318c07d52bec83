// Whether emails can leave, as the relay process reported it: what anybody may know of it.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { emailStatus, type PreflightReport } from '../../relay/client/status/heartbeat.ts';
import { stages } from '../../relay/client/vocabulary.ts';
import { instant } from '../fields.ts';
import { findWaitingCause, waitingForView } from './waiting-for.ts';

export const missingVariablesHint =
  "Set these in your deployment platform's environment variables (e.g. Coolify, Render), not only in .env.";

/** In words that a stranger may read: this much is told without a key. */
export const preflightShape = {
  ok: z.boolean().meta({ description: 'Whether mail can be sent.' }),
  at: instant,
  stage: z.enum(stages).nullable().meta({ description: 'The first stage that failed.' }),
  cause: z.string().nullable(),
  title: z.string().nullable(),
};

export const emailStatusView = z
  .strictObject({
    configured: z.boolean(),
    missing: z.array(z.string()).meta({ description: 'Required variables that are missing or blank.' }),
    hint: z.string().optional(),
    relay: z.enum(['running', 'asleep', 'silent', 'never seen']),
    scheduler: z.strictObject({ running: z.boolean(), last_tick: instant.nullable() }),
    preflight: z.strictObject(preflightShape).nullable().meta({
      description: 'The result of the last examination of the provider connection; null before the first.',
    }),
    waiting_for: waitingForView
      .omit({ detail: true })
      .nullable()
      .meta({ description: 'Why no mail is sent now, and until when; null while mail is sent.' }),
  })
  .meta({ id: 'EmailStatus' });

export async function readEmailStatus(database: Database) {
  const { configured, missing, hint: advice, relay, scheduler, report } = await emailStatus(database);
  const reason = await findWaitingCause(database, report);
  return {
    configured,
    missing,
    ...(advice !== undefined && { hint: advice }),
    relay,
    scheduler: { running: scheduler.running, last_tick: scheduler.lastTick?.toISOString() ?? null },
    preflight: preflightSummary(report?.preflight),
    waiting_for: reason && withoutDetail(reason),
  };
}

/** Anybody may ask for the status, and the provider's own words may name an address. */
function withoutDetail({ detail: _, ...reason }: NonNullable<Awaited<ReturnType<typeof findWaitingCause>>>) {
  return reason;
}

export function preflightSummary(preflight: PreflightReport | undefined) {
  if (!preflight) return null;
  const { ok, at, diagnosis } = preflight;
  const { stage = null, cause = null, title = null } = diagnosis ?? {};
  return { ok, at, stage, cause, title };
}

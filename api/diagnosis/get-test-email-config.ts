// GET /api/v1/test-email/config: what the relay found in its environment, for administrators.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { emailStatus, type PreflightReport } from '../../relay/client/status/heartbeat.ts';
import { type Operation, reads } from '../operation.ts';
import { emailStatusView, preflightShape, preflightSummary, readEmailStatus } from './email-status.ts';
import { lanesOf } from './waiting-for.ts';

const configView = z
  .strictObject({
    ...emailStatusView.shape,
    preflight: z
      .strictObject({
        ...preflightShape,
        route: z.string().nullable().meta({ description: 'By which route mail leaves, or where it fails.' }),
        variables: z.array(z.string()).meta({ description: 'The variables to look at first.' }),
        meaning: z.string().nullable(),
        fix: z.string().nullable(),
        where: z
          .string()
          .nullable()
          .meta({ description: 'Where to type it on the platform the relay runs on.' }),
        because: z.string().nullable().meta({ description: 'What was compared to come to this cause.' }),
        reply: z.string().nullable().meta({ description: 'What the provider or the system said.' }),
        walks: z.array(z.record(z.string(), z.unknown())).meta({
          description: 'Every route and address family that was walked, and where it failed.',
        }),
        notes: z.array(z.string()),
      })
      .nullable(),
    delivery_mode: z.string().nullable(),
    from: z.string().nullable(),
    allowed_senders: z.array(z.string()),
    max_message_size: z.int().nullable(),
    secrets: z.record(z.string(), z.strictObject({ length: z.int(), fingerprint: z.string() })).meta({
      description:
        'Length and fingerprint of what is set; `npm run doctor` prints how to compute one elsewhere.',
    }),
    problems: z
      .array(z.record(z.string(), z.unknown()))
      .meta({ description: 'What is wrong with the values, and the fix.' }),
    routes: z.array(z.record(z.string(), z.unknown())),
    lanes: z.array(z.record(z.string(), z.unknown())),
    set_on_api: z.array(z.string()).meta({
      description:
        "The provider's variables that this api process sees: harmless, but they belong to the relay.",
    }),
  })
  .meta({ id: 'EmailConfiguration' });

export function getTestEmailConfig({
  database,
  providerVariables,
}: {
  database: Database;
  providerVariables: readonly string[];
}): Operation {
  return reads({
    id: 'getTestEmailConfig',
    method: 'get',
    path: '/api/v1/test-email/config',
    tag: 'Diagnosis',
    summary: 'What the relay found in its environment, and how its routes are',
    scope: 'admin',
    answers: { 200: { description: 'Values are never told.', schema: configView } },
    async handle() {
      const { report } = await emailStatus(database);
      return {
        status: 200,
        body: {
          ...(await readEmailStatus(database)),
          preflight: preflightDetails(report?.preflight),
          delivery_mode: report?.delivery_mode ?? null,
          from: report?.from ?? null,
          allowed_senders: report?.allowed_senders ?? [],
          max_message_size: report?.limits.max_message_size ?? null,
          secrets: report?.secrets ?? {},
          problems: report?.problems ?? [],
          routes: report?.routes ?? [],
          lanes: lanesOf(report).map((lane) => ({ ...lane })),
          set_on_api: providerVariables,
        },
      };
    },
  });
}

function preflightDetails(preflight: PreflightReport | undefined) {
  const brief = preflightSummary(preflight);
  if (!preflight || !brief) return null;
  const { diagnosis, route, walks, notes } = preflight;
  const {
    variables = [],
    meaning = null,
    fix = null,
    where = null,
    because = null,
    reply = null,
  } = diagnosis ?? {};
  return {
    ...brief,
    route: diagnosis?.route ?? route,
    variables,
    meaning,
    fix,
    where,
    because,
    reply,
    walks,
    notes,
  };
}

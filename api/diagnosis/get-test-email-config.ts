// GET /api/v1/test-email/config: what the relay found in its environment, for administrators.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { emailStatus, type PreflightReport } from '../../relay/client/status/heartbeat.ts';
import { type Operation, reads } from '../operation.ts';
import { emailStatusView, preflightShape, preflightSummary, readEmailStatus } from './email-status.ts';
import { mailboxView, viewMailbox } from './mailbox-view.ts';
import { lanesOf } from './waiting-for.ts';

const configView = z
  .strictObject({
    ...emailStatusView.shape,
    preflight: z
      .strictObject({
        ...preflightShape,
        route: z.string().nullable().meta({ description: 'The route that works, or the one that fails.' }),
        variables: z.array(z.string()).meta({ description: 'The variables to check first.' }),
        meaning: z.string().nullable(),
        fix: z.string().nullable(),
        where: z.string().nullable().meta({ description: 'Where to set it on the platform of the relay.' }),
        because: z.string().nullable().meta({ description: 'The comparison that led to this cause.' }),
        reply: z
          .string()
          .nullable()
          .meta({ description: 'The reply of the provider, or the error of the system.' }),
        walks: z.array(z.record(z.string(), z.unknown())).meta({
          description: 'Every route and address family that was tested, and where it failed.',
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
        'Length and fingerprint of each secret that is set; `npm run doctor` prints how to compute a fingerprint elsewhere.',
    }),
    problems: z
      .array(z.record(z.string(), z.unknown()))
      .meta({ description: 'What is wrong with the values, and the fix.' }),
    routes: z.array(z.record(z.string(), z.unknown())),
    lanes: z.array(z.record(z.string(), z.unknown())),
    mailbox: mailboxView
      .nullable()
      .meta({ description: 'The mailbox that delivery reports are read from; null while none is read.' }),
    set_on_api: z.array(z.string()).meta({
      description: 'Provider variables that are set for the api: harmless, but only the relay needs them.',
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
    summary: 'The settings of the relay and the state of its routes',
    scope: 'admin',
    answers: { 200: { description: 'Values are never shown.', schema: configView } },
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
          mailbox: report?.mailbox ? await viewMailbox(database, report.mailbox) : null,
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

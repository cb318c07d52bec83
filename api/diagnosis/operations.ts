// Whether mail can leave, and why not: answered from what the relay process reported, never from this process.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { emailStatus, type PreflightReport } from '../../relay/client/status/heartbeat.ts';
import { listUnknownReplies } from '../../relay/client/status/unknown-replies.ts';
import { stages } from '../../relay/client/vocabulary.ts';
import { mailbox } from '../emails/mailbox.ts';
import { id, instant } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { lanesOf, waitingForView, whyNothingLeaves } from './lanes.ts';
import { sendTestEmail, type TestResult, type TestStep } from './test-email.ts';

const tag = 'Diagnosis';

const hint =
  "Set these in your deployment platform's environment variables (e.g. Coolify, Render), not only in .env.";

/** In words that a stranger may read: this much is told without a key. */
const preflightShape = {
  ok: z.boolean().meta({ description: 'Whether mail could leave.' }),
  at: instant,
  stage: z.enum(stages).nullable().meta({ description: 'The first stage that failed.' }),
  cause: z.string().nullable(),
  title: z.string().nullable(),
};

const statusView = z
  .strictObject({
    configured: z.boolean(),
    missing: z.array(z.string()).meta({ description: 'Required variables that are missing or blank.' }),
    hint: z.string().optional(),
    relay: z.enum(['running', 'silent', 'never seen']),
    scheduler: z.strictObject({ running: z.boolean(), last_tick: instant.nullable() }),
    preflight: z.strictObject(preflightShape).nullable().meta({
      description: 'What the relay found when it last examined its way out; null until it has.',
    }),
    waiting_for: waitingForView
      .omit({ detail: true })
      .nullable()
      .meta({ description: 'Why no mail leaves at the moment, and until when; null while some does.' }),
  })
  .meta({ id: 'EmailStatus' });

const stageView = z
  .strictObject({
    route: z.string().nullable(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    stage: z.enum(stages),
    ok: z.boolean(),
    ms: z.number().nullable(),
    reply: z.string().nullable(),
  })
  .meta({ id: 'StageTold' });

const sentView = z
  .strictObject({
    sent: z.literal(true),
    email_id: id,
    stages: z.array(stageView),
    route: z.string().nullable(),
    reply: z.string().nullable().meta({ description: "The provider's reply, as it said it." }),
  })
  .meta({ id: 'TestEmailSent' });

const configView = z
  .strictObject({
    ...statusView.shape,
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

const unknownRepliesView = z
  .strictObject({
    data: z
      .array(
        z.strictObject({
          template: z
            .string()
            .meta({ description: 'The reply, with `<address>`, `<host>`, `<id>` for what varies.' }),
          cause: z.string(),
          seen: z.int(),
          first_at: instant,
          last_at: instant,
        }),
      )
      .max(200),
  })
  .meta({ id: 'UnknownReplies' });

export function diagnosisOperations({
  database,
  sending,
  providerVariables,
}: {
  database: Database;
  sending: Sending;
  providerVariables: readonly string[];
}): Operation[] {
  return [
    reads({
      id: 'getEmailStatus',
      method: 'get',
      path: '/api/v1/email-status',
      tag,
      summary: 'Whether mail is configured, as the relay process saw it at its start',
      scope: 'public',
      answers: {
        200: {
          description: 'Configured, or what is missing. Secrets never.',
          schema: statusView,
          example: {
            configured: false,
            missing: ['SMTP_HOST', 'SMTP_PASSWORD'],
            hint,
            relay: 'running',
            scheduler: { running: true, last_tick: '2026-03-01T09:00:00.000Z' },
            preflight: {
              ok: false,
              at: '2026-03-01T09:00:00.000Z',
              stage: 'config',
              cause: 'env-missing',
              title: 'A mail setting is missing',
            },
            waiting_for: null,
          },
        },
      },
      async handle() {
        return { status: 200, body: await readStatus(database) };
      },
    }),

    reads({
      id: 'getTestEmailConfig',
      method: 'get',
      path: '/api/v1/test-email/config',
      tag,
      summary: 'What the relay found in its environment, and how its routes are',
      scope: 'admin',
      answers: { 200: { description: 'Values are never told.', schema: configView } },
      async handle() {
        const { report } = await emailStatus(database);
        return {
          status: 200,
          body: {
            ...(await readStatus(database)),
            preflight: inFull(report?.preflight),
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
    }),

    reads({
      id: 'listUnknownReplies',
      method: 'get',
      path: '/api/v1/unknown-replies',
      tag,
      summary: "Replies that no rule knows by their words, for a report to Postern's authors",
      description: 'The newest 200, without addresses, hosts and ids. They were judged by their code alone.',
      scope: 'admin',
      answers: { 200: { description: 'Each wording once.', schema: unknownRepliesView } },
      async handle() {
        const replies = await listUnknownReplies(database);
        const data = replies.map(({ template, cause, seen, firstAt, lastAt }) => ({
          template,
          cause,
          seen,
          first_at: firstAt.toISOString(),
          last_at: lastAt.toISOString(),
        }));
        return { status: 200, body: { data } };
      },
    }),

    reads({
      id: 'sendTestEmail',
      method: 'post',
      path: '/api/v1/test-email',
      tag,
      summary: 'Send a real mail down the real path, and hear how far it got',
      description:
        'Waits up to 30 seconds. With `Accept: text/event-stream` every stage is told as it happens: events `stage`, ' +
        'and in the end `result` or `problem`. Not idempotent: every call sends a mail.',
      scope: 'send',
      body: z
        .strictObject({ to: mailbox.optional().meta({ description: 'By default the From address.' }) })
        .meta({ id: 'TestEmail' }),
      bodyExample: { to: 'ann@example.com' },
      answers: { 200: { description: 'The provider took responsibility for it.', schema: sentView } },
      problems: ['test-email-failed'],
      async handle({ body, principal, traceparent, wantsEvents, gone }) {
        const steps = sendTestEmail({
          database,
          sending,
          to: body.to,
          apiKeyId: principal.apiKeyId,
          traceparent,
          signal: gone,
        });
        if (wantsEvents) return { status: 200, events: toEvents(steps) };
        for await (const step of steps) {
          if (step.kind === 'result') return { status: 200, body: answerOf(step.result) };
        }
        throw new Error('A test mail ended without a result');
      },
    }),
  ];
}

async function readStatus(database: Database) {
  const { configured, missing, hint: advice, relay, scheduler, report } = await emailStatus(database);
  const reason = await whyNothingLeaves(database, report);
  return {
    configured,
    missing,
    ...(advice !== undefined && { hint: advice }),
    relay,
    scheduler: { running: scheduler.running, last_tick: scheduler.lastTick?.toISOString() ?? null },
    preflight: inBrief(report?.preflight),
    waiting_for: reason && publicly(reason),
  };
}

/** Anybody may ask for the status, and the provider's own words may name an address. */
function publicly({ detail: _, ...reason }: NonNullable<Awaited<ReturnType<typeof whyNothingLeaves>>>) {
  return reason;
}

function inBrief(preflight: PreflightReport | undefined) {
  if (!preflight) return null;
  const { ok, at, diagnosis } = preflight;
  const { stage = null, cause = null, title = null } = diagnosis ?? {};
  return { ok, at, stage, cause, title };
}

function inFull(preflight: PreflightReport | undefined) {
  const brief = inBrief(preflight);
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

/** The answer; throws `test-email-failed` with stage, cause and fix. */
function answerOf(result: TestResult): unknown {
  if (result.sent) return result;
  const { failure, ...told } = result;
  throw new Problem('test-email-failed', `${failure.title}.`.replace(/\.+$/, '.'), {
    members: { ...told, ...failure },
  });
}

async function* toEvents(steps: AsyncIterable<TestStep>): AsyncGenerator<{ event: string; data: unknown }> {
  for await (const step of steps) {
    if (step.kind === 'stage') yield { event: 'stage', data: step.stage };
    else yield { event: 'result', data: answerOf(step.result) };
  }
}

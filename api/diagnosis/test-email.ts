// The test mail: a real one, down the real path through the relay to the provider, told stage by stage. When it does
// not leave, it says how far it got, why, and what to change; and it is called back, so that it does not arrive
// by surprise hours later.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../../deploy/database.ts';
import { type Delivery, readDeliveries } from '../../relay/client/email/delivery.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { insertEmail } from '../../relay/client/email/insert.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { readTimeline } from '../../relay/client/email/timeline.ts';
import { cancelEmail } from '../../relay/client/outbox/cancel.ts';
import { askAboutLanes, askAboutSender } from '../../relay/client/outbox/probe.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { beatIntervalMs, emailStatus, type LaneReport } from '../../relay/client/status/heartbeat.ts';
import { type Stage, type Status, stages, type TimelineEvent } from '../../relay/client/vocabulary.ts';
import type { Sending } from '../sending.ts';
import { findShutLane } from './lanes.ts';

/** One stage of the conversation with one route. */
export type StageTold = {
  readonly route: string | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly stage: Stage;
  readonly ok: boolean;
  readonly ms: number | null;
  /** What was heard, where something was: the provider's reply or the system's error. */
  readonly reply: string | null;
};

export type Failure = {
  readonly stage: Stage;
  readonly cause: string;
  readonly title: string;
  readonly fix: string;
  readonly reply: string | null;
  readonly missing?: readonly string[];
};

export type TestResult = { readonly email_id: string | null; readonly stages: readonly StageTold[] } & (
  | { readonly sent: true; readonly route: string | null; readonly reply: string | null }
  | { readonly sent: false; readonly failure: Failure }
);

export type TestStep =
  | { readonly kind: 'stage'; readonly stage: StageTold }
  | { readonly kind: 'result'; readonly result: TestResult };

const waitMs = 30_000;
const lookEveryMs = 100;
// A report may be as old as the beat is long; what it says after that time was true while we waited.
const reportLagMs = beatIntervalMs + 1_000;

/** Sends the test mail and tells every stage as it is known; the result comes last. */
export async function* sendTestEmail({
  database,
  sending,
  to,
  apiKeyId,
  traceparent,
  signal,
}: {
  database: Database;
  sending: Sending;
  /** By default the From address: the one mailbox that is certainly ours. */
  to: Address | undefined;
  apiKeyId: string | undefined;
  traceparent: string;
  /** Aborts when nobody listens any more. */
  signal: AbortSignal;
}): AsyncGenerator<TestStep> {
  const obstacle = await findObstacle(database);
  if (obstacle) {
    yield { kind: 'result', result: { sent: false, email_id: null, stages: [], failure: obstacle } };
    return;
  }
  const from = await sending.sender(database);
  const recipient = to ?? from;
  if (!from || !recipient) {
    yield { kind: 'result', result: { sent: false, email_id: null, stages: [], failure: senderUnknown } };
    return;
  }

  const email = await database.transaction(async (tx) => {
    // A test mail shows what is true now, not what was true when the sender was held.
    await askAboutSender(tx, from.address);
    await askAboutLanes(tx);
    return insertEmail(tx, {
      kind: 'test',
      from,
      recipients: [{ kind: 'to', ...recipient }],
      subject: 'Test mail from Postern',
      text: 'This mail took the same way as every other: from the API through the relay to your provider.\n',
      apiKeyId,
      traceparent,
    });
  });
  await sending.handOver(email);

  const told: StageTold[] = [];
  const startedAt = performance.now();
  let seen = 0;
  for (;;) {
    // The status first: an event that belongs to it is then in the timeline.
    const status = (await readEmail(database, email.id))?.status ?? 'pending';
    const timeline = await readTimeline(database, email.id);
    for (const stage of timeline.slice(seen).flatMap(stagesOf)) {
      told.push(stage);
      yield { kind: 'stage', stage };
    }
    seen = timeline.length;

    const waitedMs = performance.now() - startedAt;
    const shut = status === 'queued' && waitedMs > reportLagMs ? await findShutLane(database) : undefined;
    if (isOver(status, timeline) || shut || waitedMs > waitMs || signal.aborted) {
      const result = await conclude(database, { emailId: email.id, status, timeline, told, shut });
      yield { kind: 'result', result };
      return;
    }
    await pause(lookEveryMs);
  }
}

/** What makes sending pointless before it begins. */
async function findObstacle(database: Database): Promise<Failure | undefined> {
  const { relay, configured, missing, hint, report } = await emailStatus(database);
  if (relay !== 'running') return relayAway;
  if (configured) return undefined;
  const problem = report?.problems.find(({ severity }) => severity === 'problem') as
    | { variable: string; problem: string; fix: string; cause: string }
    | undefined;
  return {
    stage: 'config',
    cause: missing.length > 0 || !problem ? 'not-configured' : problem.cause,
    title: missing.length > 0 ? `Missing: ${missing.join(', ')}` : `${problem?.variable} ${problem?.problem}`,
    fix: missing.length > 0 ? (hint ?? '') : (problem?.fix ?? ''),
    reply: null,
    missing,
  };
}

const relayAway: Failure = {
  stage: 'config',
  cause: 'relay-away',
  title: 'The relay does not run',
  fix: 'Start the relay process and look at its log. Mail is kept until then.',
  reply: null,
};

const senderUnknown: Failure = {
  stage: 'config',
  cause: 'not-configured',
  title: 'No From address is known',
  fix: 'Set SMTP_FROM_EMAIL on the relay.',
  reply: null,
  missing: ['SMTP_FROM_EMAIL'],
};

/** Whether waiting longer tells nothing new: it is decided, or an attempt failed in a way that only a person mends. */
function isOver(status: Status, timeline: readonly TimelineEvent[]): boolean {
  if (status !== 'pending' && status !== 'queued' && status !== 'sending') return true;
  return timeline.some(({ type, detail }) => type === 'attempt' && detail.verdict === 'stop');
}

async function conclude(
  database: Database,
  {
    emailId,
    status,
    timeline,
    told,
    shut,
  }: {
    emailId: string;
    status: Status;
    timeline: readonly TimelineEvent[];
    told: readonly StageTold[];
    shut: LaneReport | undefined;
  },
): Promise<TestResult> {
  const [delivery] = await readDeliveries(database, emailId);
  if (status === 'sent') {
    return {
      sent: true,
      email_id: emailId,
      stages: told,
      route: delivery?.route ?? null,
      reply: delivery?.reply ?? null,
    };
  }
  const failure = await explain(database, { status, timeline, delivery, shut });
  await cancelEmail(database, emailId, 'test mail gave up');
  return { sent: false, email_id: emailId, stages: told, failure };
}

async function explain(
  database: Database,
  {
    status,
    timeline,
    delivery,
    shut,
  }: {
    status: Status;
    timeline: readonly TimelineEvent[];
    delivery: Delivery | undefined;
    shut: LaneReport | undefined;
  },
): Promise<Failure> {
  const failed = timeline.findLast(
    ({ type, detail }) => type === 'attempt' && detail.stage !== 'accepted',
  )?.detail;
  const refusal = timeline.findLast(
    ({ type }) => type === 'hand-over-refused' || type === 'hand-over-failed',
  )?.detail;
  const cause =
    textOf(failed?.cause) ??
    shut?.cause ??
    delivery?.reason ??
    (refusal && 'relay-refused') ??
    (status === 'captured' ? 'captured' : 'no-answer-in-time');
  const { [cause]: words } = await readCauses(database, [cause]);
  const heard =
    textOf(failed?.reply) ??
    textOf(failed?.error) ??
    shut?.detail ??
    delivery?.reply ??
    textOf(refusal?.reply) ??
    null;
  return {
    stage: stageIn(failed?.stage) ?? stageIn(cause.split('-')[0]) ?? 'config',
    cause,
    title: words?.title ?? delivery?.reasonDetail ?? heard ?? `The mail is ${status}`,
    fix: words?.fix ?? unexplained[cause] ?? 'Look at the stages and at what the provider replied.',
    reply: heard,
  };
}

const unexplained: Readonly<Record<string, string | undefined>> = {
  captured: 'DELIVERY_MODE keeps mail here. Set it to deliver to let mail leave.',
  'no-answer-in-time':
    'Nothing was decided within 30 seconds. GET /api/v1/emails/{id}/events shows what is going on.',
};

function stagesOf({ type, detail }: TimelineEvent): StageTold[] {
  if (type !== 'attempt') return [];
  const last = stageIn(detail.stage);
  const timings = (detail.timings ?? {}) as Readonly<Partial<Record<Stage, number>>>;
  const reached = stages.filter((stage) => timings[stage] !== undefined || stage === last);
  return reached.map((stage) => ({
    route: textOf(detail.route) ?? null,
    host: textOf(detail.host) ?? null,
    port: typeof detail.port === 'number' ? detail.port : null,
    stage,
    ok: stage !== last || stage === 'accepted',
    ms: timings[stage] ?? null,
    reply: stage === last ? (textOf(detail.reply) ?? textOf(detail.error) ?? null) : null,
  }));
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);
const stageIn = (value: unknown) => stages.find((stage) => stage === value);

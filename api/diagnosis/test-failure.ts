// What a test email met on its way: the stages it passed, and the failure that ended it, in words and with the fix.
import type { Database } from '../../deploy/database.ts';
import type { Delivery } from '../../relay/client/email/delivery.ts';
import { readCauses } from '../../relay/client/status/causes.ts';
import { emailStatus, isAway, type LaneReport } from '../../relay/client/status/heartbeat.ts';
import { type Stage, type Status, stages, type TimelineEvent } from '../../relay/client/vocabulary.ts';

/** One stage of the conversation with one route. */
export type TestedStage = {
  readonly route: string | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly stage: Stage;
  readonly ok: boolean;
  readonly ms: number | null;
  /** What was said, where something was: the provider's reply or the system's error. */
  readonly reply: string | null;
};

export type TestFailure = {
  readonly stage: Stage;
  readonly cause: string;
  readonly title: string;
  readonly fix: string;
  readonly reply: string | null;
  readonly missing?: readonly string[];
};

/** What makes sending pointless before it begins. */
export async function findConfigurationFault(database: Database): Promise<TestFailure | undefined> {
  const { relay, configured, missing, hint, report } = await emailStatus(database);
  if (isAway(relay)) return relayAway;
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

const relayAway: TestFailure = {
  stage: 'config',
  cause: 'relay-away',
  title: 'The relay is not running',
  fix: 'Start the relay, or read its log. Mail is kept until it runs.',
  reply: null,
};

export const senderUnknown: TestFailure = {
  stage: 'config',
  cause: 'not-configured',
  title: 'No From address is known',
  fix: 'Set SMTP_FROM_EMAIL on the relay.',
  reply: null,
  missing: ['SMTP_FROM_EMAIL'],
};

export async function explainFailure(
  database: Database,
  {
    status,
    timeline,
    delivery,
    closed,
  }: {
    status: Status;
    timeline: readonly TimelineEvent[];
    delivery: Delivery | undefined;
    closed: LaneReport | undefined;
  },
): Promise<TestFailure> {
  const failed = timeline.findLast(
    ({ type, detail }) => type === 'attempt' && detail.stage !== 'accepted',
  )?.detail;
  const refusal = timeline.findLast(
    ({ type }) => type === 'hand-over-refused' || type === 'hand-over-failed',
  )?.detail;
  const cause =
    textOf(failed?.cause) ??
    closed?.cause ??
    delivery?.reason ??
    (refusal && 'relay-refused') ??
    (status === 'captured' ? 'captured' : 'no-answer-in-time');
  const { [cause]: words } = await readCauses(database, [cause]);
  const reply =
    textOf(failed?.reply) ??
    textOf(failed?.error) ??
    closed?.detail ??
    delivery?.reply ??
    textOf(refusal?.reply) ??
    null;
  return {
    stage: stageIn(failed?.stage) ?? stageIn(cause.split('-')[0]) ?? 'config',
    cause,
    title: words?.title ?? delivery?.reasonDetail ?? reply ?? `The mail is ${status}`,
    fix: words?.fix ?? unexplained[cause] ?? 'Check the stages and the reply of the provider.',
    reply,
  };
}

const unexplained: Readonly<Record<string, string | undefined>> = {
  captured: 'DELIVERY_MODE keeps mail here. To send mail, set it to deliver.',
  'no-answer-in-time':
    'Nothing was decided within 30 seconds. GET /api/v1/emails/{id}/events shows what is going on.',
};

export function stagesOf({ type, detail }: TimelineEvent): TestedStage[] {
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

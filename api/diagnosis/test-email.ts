// The test mail: a real one, down the real path through the relay to the provider, told stage by stage. When it does
// not leave, it says how far it got, why, and what to change; and it is called back, so that it does not arrive
// by surprise hours later.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../../deploy/database.ts';
import { readDeliveries } from '../../relay/client/email/delivery.ts';
import type { Address } from '../../relay/client/email/email.ts';
import { insertEmail } from '../../relay/client/email/insert.ts';
import { readEmail } from '../../relay/client/email/row.ts';
import { readTimeline } from '../../relay/client/email/timeline.ts';
import { cancelEmail } from '../../relay/client/outbox/cancel.ts';
import { probeLanesNow, probeSenderNow } from '../../relay/client/outbox/probe.ts';
import { beatIntervalMs, type LaneReport } from '../../relay/client/status/heartbeat.ts';
import type { Status, TimelineEvent } from '../../relay/client/vocabulary.ts';
import type { Principal } from '../authenticate.ts';
import { countRecipients, ownSenderOf } from '../keys/sends.ts';
import type { Sending } from '../sending.ts';
import {
  explainFailure,
  findConfigurationFault,
  senderUnknown,
  stagesOf,
  type TestedStage,
  type TestFailure,
} from './test-failure.ts';
import { findClosedLane } from './waiting-for.ts';

export type TestResult = { readonly email_id: string | null; readonly stages: readonly TestedStage[] } & (
  | { readonly sent: true; readonly route: string | null; readonly reply: string | null }
  | { readonly sent: false; readonly failure: TestFailure }
);

export type TestStep =
  | { readonly kind: 'stage'; readonly stage: TestedStage }
  | { readonly kind: 'result'; readonly result: TestResult };

const waitMs = 30_000;
const pollEveryMs = 100;
// A report may be as old as the beat is long; what it says after that time was true while we waited.
const reportLagMs = beatIntervalMs + 1_000;

/** Sends the test mail and tells every stage as it is known; the result comes last. */
export async function* runTestEmail({
  database,
  sending,
  to,
  principal,
  traceparent,
  signal,
}: {
  database: Database;
  sending: Sending;
  /** By default the From address: the one mailbox that is certainly ours. */
  to: Address | undefined;
  principal: Principal;
  traceparent: string;
  /** Aborts when nobody listens any more. */
  signal: AbortSignal;
}): AsyncGenerator<TestStep> {
  const fault = await findConfigurationFault(database);
  if (fault) {
    yield { kind: 'result', result: { sent: false, email_id: null, stages: [], failure: fault } };
    return;
  }
  const from = ownSenderOf(principal, await sending.sender(database));
  const recipient = to ?? from;
  if (!from || !recipient) {
    yield { kind: 'result', result: { sent: false, email_id: null, stages: [], failure: senderUnknown } };
    return;
  }

  const email = await database.transaction(async (tx) => {
    // A test mail shows what is true now, not what was true when the sender was held.
    await probeSenderNow(tx, from.address);
    await probeLanesNow(tx);
    await countRecipients(tx, principal, 1);
    return insertEmail(tx, {
      kind: 'test',
      from,
      recipients: [{ kind: 'to', ...recipient }],
      subject: 'Test email from Postern',
      text: 'This email took the same path as every other: from the API through the relay to your provider.\n',
      apiKeyId: principal.apiKeyId,
      traceparent,
    });
  });
  await sending.handOver(email);

  const passed: TestedStage[] = [];
  const startedAt = performance.now();
  let seen = 0;
  for (;;) {
    // The status first: an event that belongs to it is then in the timeline.
    const status = (await readEmail(database, email.id))?.status ?? 'pending';
    const timeline = await readTimeline(database, email.id);
    for (const stage of timeline.slice(seen).flatMap(stagesOf)) {
      passed.push(stage);
      yield { kind: 'stage', stage };
    }
    seen = timeline.length;

    const waitedMs = performance.now() - startedAt;
    const closed = status === 'queued' && waitedMs > reportLagMs ? await findClosedLane(database) : undefined;
    if (isOver(status, timeline) || closed || waitedMs > waitMs || signal.aborted) {
      const result = await conclude(database, {
        emailId: email.id,
        status,
        timeline,
        stages: passed,
        closed,
      });
      yield { kind: 'result', result };
      return;
    }
    await pause(pollEveryMs);
  }
}

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
    stages,
    closed,
  }: {
    emailId: string;
    status: Status;
    timeline: readonly TimelineEvent[];
    stages: readonly TestedStage[];
    closed: LaneReport | undefined;
  },
): Promise<TestResult> {
  const [delivery] = await readDeliveries(database, emailId);
  if (status === 'sent') {
    return {
      sent: true,
      email_id: emailId,
      stages,
      route: delivery?.route ?? null,
      reply: delivery?.reply ?? null,
    };
  }
  const failure = await explainFailure(database, { status, timeline, delivery, closed });
  await cancelEmail(database, emailId, 'test email timed out');
  return { sent: false, email_id: emailId, stages, failure };
}

// One claimed mail, from a free connection to a stored result.
import type { Queryable } from '../../../deploy/database.ts';
import { type Log, maskAddress, maskAddresses } from '../../../deploy/log.ts';
import { endFailed, type Span, startSpan, traceIdOf } from '../../../deploy/trace.ts';
import type { DsnRequest } from '../../smtp/envelope-commands.ts';
import type { Session, Transaction, Trouble } from '../../smtp/session.ts';
import { inBrief } from '../../verdict/explain.ts';
import type { Judgement } from '../../verdict/failure.ts';
import { type Lane, wordsOf } from '../lanes/lane.ts';
import { type Claimed, type ClaimedRecipient, readParts } from '../queue/claim.ts';
import type { Marked, Marks } from '../queue/marks.ts';
import type { Change, Results, TimelineEntry } from '../queue/results.ts';
import type { DeliverySettings, Provider, Route, Tempo } from '../settings.ts';
import {
  type Circumstances,
  type Decision,
  type Disposition,
  decide,
  decideAlone,
  type Effect,
  takenAs,
} from './decide.ts';
import { fenceOf } from './fence.ts';

export type Carrier = {
  readonly database: Queryable;
  readonly log: Log;
  readonly settings: DeliverySettings;
  readonly tempo: Tempo;
  readonly marks: Marks;
  readonly results: Results;
  judge(provider: Provider, trouble: Trouble): Judgement;
  /** Aborts when this relay stops: no dot leaves any more. */
  readonly stopping: AbortSignal;
  /**
   * What concerns more than this mail, before its own result is stored.
   *
   * @returns false when it turns out that the lane is well and only this mail is refused
   */
  apply(lane: Lane, mail: Claimed, effect: Effect): Promise<boolean>;
  /** A final reply came, or did not. */
  heard(lane: Lane, route: Route, wasSilent: boolean): Promise<void>;
  /** Asks for a place under the lane's hourly and daily limits; false puts the mail back. */
  spend(lane: Lane, mail: Claimed, recipients: number): Promise<boolean>;
  refund(lane: Lane, recipients: number): Promise<void>;
  /** Whether a mail that would be deferred has been around for longer than the queue keeps it. */
  isExpired(mail: Claimed): Promise<boolean>;
  /**
   * Results are stored: somebody may have to be told.
   *
   * @param taken what the provider said yes to in this transaction
   */
  settled(mail: Claimed, changes: readonly Change[], taken: readonly ('mail' | 'rcpt')[]): Promise<void>;
};

/** A mail under way, so that a stopping relay knows what it interrupts. */
export type Carriage = {
  readonly mail: Claimed;
  /** The final dot may be out: only the provider knows. */
  dotIsOut: boolean;
  session: Session | undefined;
};

/**
 * Carries a mail to the provider and writes down what became of every recipient. Never rejects.
 *
 * @param free called when the connection may be used for the next mail; results are stored meanwhile
 */
export async function carry(
  carrier: Carrier,
  lane: Lane,
  carriage: Carriage,
  free: () => void,
): Promise<void> {
  const { mail } = carriage;
  const { log, results } = carrier;
  const batches: (readonly ClaimedRecipient[])[] = [mail.recipients];
  try {
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      if (!(await carrier.spend(lane, mail, batch.length))) {
        free();
        const waiting = [batch, ...batches.splice(0)].flat();
        await results.store({ changes: waiting.map((recipient) => back(mail, recipient)), entries: [] });
        return;
      }
      const { session, failed } = await lane.acquire(carrier.stopping);
      const entries: TimelineEntry[] = failed.map(({ route, trouble, judgement }) =>
        attempted(mail, lane, route, { stage: trouble.stage, trouble, judgement }),
      );
      if (!session) {
        free();
        await carrier.refund(lane, batch.length);
        const waiting = [batch, ...batches.splice(0)].flat();
        await results.store({ changes: waiting.map((recipient) => back(mail, recipient)), entries });
        return;
      }
      const { again, store } = await transact(carrier, lane, carriage, session, batch, entries);
      batches.unshift(...again);
      if (batches.length === 0) free();
      await store();
    }
  } catch (error) {
    // A bug. The lease runs out, and the mark decides what is true of the mail.
    log.error({ err: error, event: 'carry-failed', ...idsOf(mail) }, 'A mail could not be carried');
    carriage.session?.destroy();
  } finally {
    free();
  }
}

async function transact(
  carrier: Carrier,
  lane: Lane,
  carriage: Carriage,
  session: Session,
  batch: readonly ClaimedRecipient[],
  entries: TimelineEntry[],
): Promise<{ again: Decision['again']; store: () => Promise<void> }> {
  const { settings, tempo, log, stopping } = carrier;
  const { mail } = carriage;
  const { route } = session;
  const mayBeStale = session.carried > 0;
  const span = startSpan('attempt', mail.traceparent);
  log.info(
    { event: 'attempt', ...idsOf(mail), route: route.name },
    `Attempting to send email to ${batch.map(({ address }) => shown(settings, address)).join(', ')} via ${route.host}:${route.port}`,
  );

  let marked: Marked | undefined;
  const fence = fenceOf({
    mail,
    batch,
    marks: carrier.marks,
    markMs: tempo.markMs,
    stopping,
    passed(mark) {
      marked = mark;
      carriage.dotIsOut = true;
    },
  });

  carriage.session = session;
  const transaction = await session.send(
    {
      sender: mail.sender,
      recipients: [...new Set(batch.map(({ address }) => address))],
      size: mail.size,
      eightBit: mail.eightBit,
      utf8Header: mail.utf8Header,
      dsn: dsnOf(mail, batch),
      body: mail.content ?? readParts(carrier.database, mail.queueId, mail.size),
    },
    fence,
  );
  carriage.session = undefined;
  carriage.dotIsOut = false;
  lane.giveBack(session);

  const circumstances: Circumstances = {
    recipients: batch,
    transaction,
    judge: (trouble) => carrier.judge(lane.provider, trouble),
    schedule: settings.retryScheduleSeconds,
    onUncertain: mail.onUncertain ?? settings.uncertainPolicy,
    resendSeconds: tempo.resendMs / 1_000,
    isNotice: mail.sender === '',
    mayBeStale,
  };
  let decision = decide(circumstances);
  if (decision.dispositions.some(({ status }) => status === 'sent')) lane.grow();

  if (span) endAttempt(span, mail, route, { transaction, decision });

  const { end } = transaction;
  // Before the connection is free for the next mail: a route that swallows replies must not get many more.
  if (end.kind === 'silent') await carrier.heard(lane, route, true);

  const store = async () => {
    const gone = decision.dispositions.filter(
      ({ status }) => status === 'sent' || status === 'uncertain',
    ).length;
    if (gone < batch.length) await carrier.refund(lane, batch.length - gone);
    if (end.kind === 'answered') await carrier.heard(lane, route, false);
    for (const effect of decision.effects) {
      if (!(await carrier.apply(lane, mail, effect))) decision = decideAlone(circumstances);
    }
    const expired =
      decision.dispositions.some(({ status }) => status === 'deferred') && (await carrier.isExpired(mail));
    const changes = decision.dispositions.map((disposition) =>
      changeOf(mail, disposition, { transaction, route, marked, expired, dsnPassedOn: session.offersDsn }),
    );
    entries.push(attemptOf(mail, lane, route, transaction, decision));
    for (const [index, disposition] of decision.dispositions.entries()) {
      const change = changes[index];
      if (change) entries.push(...outcomeOf(mail, disposition, change));
    }
    await carrier.results.store({ changes, entries });
    for (const [index, { recipient }] of decision.dispositions.entries()) {
      const change = changes[index];
      if (change) tell(carrier, mail, recipient, change);
    }
    await carrier.settled(mail, changes, takenStages(transaction));
  };
  return { again: decision.again, store };
}

/** Whether the provider took the sender, and a recipient: by its own replies, not by what we left out. */
function takenStages({ accepted, refused }: Transaction): ('mail' | 'rcpt')[] {
  if (accepted.length > 0) return ['mail', 'rcpt'];
  const heard = [...refused.values()].some(({ symptom }) => symptom.responseCode !== undefined);
  return heard ? ['mail'] : [];
}

function endAttempt(
  span: Span,
  mail: Claimed,
  route: Route,
  { transaction: { end }, decision }: { transaction: Transaction; decision: Decision },
): void {
  span.setAttributes({
    'postern.queue_id': mail.queueId,
    ...(mail.emailId !== null && { 'postern.email_id': mail.emailId }),
    'server.address': route.host,
    'server.port': route.port,
    'postern.statuses': decision.dispositions.map(({ status }) => status),
  });
  const failure = decision.dispositions.find(({ trouble }) => trouble !== null);
  if (end.kind === 'answered' && !failure) span.end();
  else endFailed(span, end.kind === 'fenced' ? end.why : (failure?.reason ?? end.kind));
}

function changeOf(
  mail: Claimed,
  { recipient, status, reason, delaySeconds, counts, trouble }: Disposition,
  {
    transaction,
    route,
    marked,
    expired,
    dsnPassedOn,
  }: {
    transaction: Transaction;
    route: Route;
    marked: Marked | undefined;
    expired: boolean;
    dsnPassedOn: boolean;
  },
): Change {
  const { end } = transaction;
  const reply = status === 'sent' && end.kind === 'answered' ? end.reply : undefined;
  const isExpired = expired && status === 'deferred';
  return {
    queueId: mail.queueId,
    ordinal: recipient.ordinal,
    token: mail.token,
    markedAt: marked?.markedAt ?? null,
    resends: recipient.resends,
    status: isExpired ? 'expired' : status,
    reason,
    reasonDetail: trouble ? detailOf(status, reason, trouble) : null,
    delaySeconds: isExpired ? null : delaySeconds,
    counts,
    route: route.name,
    replyCode: reply?.code ?? codeOf(trouble),
    enhancedCode: reply?.enhanced ?? trouble?.symptom.enhanced ?? enhancedIn(trouble?.symptom.reply),
    reply: reply?.text ?? trouble?.symptom.reply ?? null,
    providerQueueId: status === 'sent' ? takenAs(transaction) : null,
    dsnPassedOn,
  };
}

/** What the submitter of this mail wants to hear; undefined when it said nothing. */
function dsnOf({ ret, envid }: Claimed, batch: readonly ClaimedRecipient[]): DsnRequest | undefined {
  const asked = batch.filter(({ notify, orcpt }) => notify !== null || orcpt !== null);
  if (ret === null && envid === null && asked.length === 0) return undefined;
  return { ret, envid, recipients: new Map(asked.map((recipient) => [recipient.address, recipient])) };
}

/** Back into the queue as if nothing had happened; nothing has, as far as the provider is concerned. */
export function back(mail: Claimed, recipient: ClaimedRecipient): Change {
  const { queueId, token } = mail;
  const { ordinal, resends } = recipient;
  return { queueId, ordinal, token, markedAt: null, resends, status: 'queued', delaySeconds: 0 };
}

function attempted(
  mail: Claimed,
  lane: Lane,
  route: Route,
  {
    stage,
    trouble,
    judgement,
    ...more
  }: { stage: string; trouble?: Trouble; judgement?: Judgement; [more: string]: unknown },
): TimelineEntry {
  return {
    type: 'attempt',
    queueId: mail.queueId,
    emailId: mail.emailId,
    detail: {
      lane: lane.provider.name,
      route: route.name,
      host: route.host,
      port: route.port,
      tlsMode: route.tlsMode,
      stage,
      ...(trouble && { ...evidence(trouble), timings: trouble.timings }),
      ...(judgement && { verdict: judgement.verdict, cause: judgement.cause }),
      ...more,
    },
  };
}

function attemptOf(
  mail: Claimed,
  lane: Lane,
  route: Route,
  transaction: Transaction,
  decision: Decision,
): TimelineEntry {
  const { end, timings } = transaction;
  const first = decision.dispositions.find(({ judgement }) => judgement !== null);
  const judgement = first?.judgement ?? undefined;
  if (end.kind === 'answered') {
    const { code, enhanced, text } = end.reply;
    const isYes = code < 300;
    return attempted(mail, lane, route, {
      stage: isYes ? 'accepted' : 'dot',
      ...(judgement && !isYes && { judgement }),
      code,
      enhanced,
      reply: text,
      timings,
    });
  }
  if (end.kind === 'fenced') return attempted(mail, lane, route, { stage: 'data', why: end.why, timings });
  return attempted(mail, lane, route, {
    stage: end.trouble.stage,
    trouble: end.trouble,
    ...(judgement && { judgement }),
  });
}

function outcomeOf(
  mail: Claimed,
  { recipient, trouble, judgement }: Disposition,
  change: Change,
): TimelineEntry[] {
  // Going back into the queue is not an outcome; the attempt says why.
  if (change.status === 'queued') return [];
  return [
    {
      type: change.status,
      queueId: mail.queueId,
      emailId: mail.emailId,
      recipient: recipient.address,
      ordinal: recipient.ordinal,
      detail: {
        route: change.route,
        ...(trouble
          ? { stage: trouble.stage, ...evidence(trouble) }
          : { code: change.replyCode, reply: change.reply }),
        ...(change.enhancedCode && { enhanced: change.enhancedCode }),
        ...(judgement && { verdict: judgement.verdict, cause: judgement.cause }),
        ...(change.reasonDetail && { detail: change.reasonDetail }),
        ...(change.providerQueueId && { providerQueueId: change.providerQueueId }),
        ...(change.delaySeconds != null && { retryInSeconds: Math.round(change.delaySeconds) }),
      },
    },
  ];
}

function evidence({ symptom }: Trouble): Record<string, unknown> {
  const { responseCode, enhanced, reply, message, code } = symptom;
  return {
    ...(responseCode !== undefined && { code: responseCode }),
    ...((enhanced ?? enhancedIn(reply)) && { enhanced: enhanced ?? enhancedIn(reply) }),
    ...(reply === undefined ? { error: message, ...(code !== undefined && { errorCode: code }) } : { reply }),
  };
}

const enhancedIn = (reply: string | undefined): string | null =>
  /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(reply ?? '')?.[1] ?? null;

/** Replies outside of SMTP's range would not fit the column, and are in the timeline anyway. */
function codeOf(trouble: Trouble | null): number | null {
  const code = Number(trouble?.symptom.responseCode);
  return code >= 200 && code < 600 ? code : null;
}

function detailOf(status: string, reason: string | null, trouble: Trouble): string {
  const words = wordsOf(trouble);
  // Who holds mail must say what lets it go again.
  const fix = status === 'held' && reason ? inBrief(reason).fix : '';
  return fix ? `${words} (${fix})` : words;
}

/** Postfix's line, as JSON: one per recipient and attempt. */
function tell({ log, settings }: Carrier, mail: Claimed, recipient: ClaimedRecipient, change: Change): void {
  log.info(
    {
      event: change.status,
      ...idsOf(mail),
      recipient: shown(settings, recipient.address),
      route: change.route,
      attempt: recipient.attempts + 1,
      delay: Math.round((Date.now() - mail.receivedAt.getTime()) / 100) / 10,
      dsn: change.enhancedCode,
      // Providers like to quote the address they are talking about.
      reply: settings.logAddresses === 'full' ? change.reply : change.reply && maskAddresses(change.reply),
      ...(change.reason && { cause: change.reason }),
    },
    change.status,
  );
}

/** What every line of the log about a mail says; what other applications submitted has neither email nor trace. */
const idsOf = ({ queueId, emailId, traceparent }: Claimed) => ({
  queueId,
  emailId,
  traceId: traceIdOf(traceparent),
});

const shown = ({ logAddresses }: DeliverySettings, address: string) =>
  logAddresses === 'full' ? address : maskAddress(address);

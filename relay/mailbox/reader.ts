// Reads the delivery reports in the sending mailbox for as long as the relay runs: one relay at a time, by lease. Whatever
// happens here, mail leaves as if there were no mailbox.
import { setTimeout as pause } from 'node:timers/promises';
import type { BounceMailbox } from '../../deploy/bounce-mailbox.ts';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import { every } from '../../deploy/repeat.ts';
import { alwaysAwake, type Sleep } from '../../deploy/sleep.ts';
import type { Alert } from '../alerts/alerts.ts';
import { readReport } from '../bounces/read-report.ts';
import { recordReport } from '../bounces/record-report.ts';
import type { Suppressed } from '../bounces/suppress-reported.ts';
import type { OAuth2Provider, Tokens } from '../tokens/tokens.ts';
import { failureOf } from './failure.ts';
import type { CanaryReader } from './look.ts';
import { placeOf } from './place.ts';
import { runSession, type SessionTimes, usualTimes } from './session.ts';
import {
  holdMailbox,
  leaveMailbox,
  readPosition,
  recordFailure,
  recordLook,
  storePosition,
} from './state.ts';

export type MailboxReader = AsyncDisposable;

type Start = {
  readonly mailbox: BounceMailbox;
  readonly database: Database;
  readonly tokens: Tokens;
  readonly log: Log;
  readonly instance: string;
  readonly alert: (alert: Alert) => void;
  /** Told of every report. */
  readonly counted?: (outcome: 'matched' | 'unmatched' | 'unreadable') => void;
  /** Told of the addresses that a report put onto the suppression list, or would have. */
  readonly suppressed?: (suppressed: Suppressed) => void;
  /** Mail that we sent to ourselves, and that comes back here. */
  readonly canaries?: CanaryReader;
  readonly times?: SessionTimes;
  readonly leaseMs?: number;
  /** The mailbox is read while this process is awake. */
  readonly sleep?: Sleep;
};

// Long because its small functions share the lease and what went wrong last.
export function startMailboxReader(start: Start): MailboxReader {
  const {
    mailbox,
    database,
    log,
    instance,
    times = usualTimes,
    leaseMs = 60_000,
    sleep = alwaysAwake,
  } = start;
  const place = placeOf(mailbox);
  const stopping = new AbortController();
  const { signal } = stopping;
  let isCautious = false;
  let hasSession = false;
  let hangUp = () => {};
  sleep.onChange((isAsleep) => {
    if (isAsleep) hangUp();
  });

  if (place === undefined) {
    log.error(
      { variable: 'BOUNCE_IMAP_HOST', event: 'mailbox' },
      'BOUNCE_IMAP is on, and the provider is none whose mailboxes are known: set BOUNCE_IMAP_HOST',
    );
    return { async [Symbol.asyncDispose]() {} };
  }
  const { key, host } = place;
  const running = run(host);

  async function run(at: string): Promise<void> {
    while (!signal.aborted) {
      await sleep.untilAwake(signal);
      if (signal.aborted) break;
      try {
        if (await holdMailbox(database, key, instance, leaseMs)) await readFor(at);
      } catch (error) {
        if (signal.aborted) break;
        if (sleep.isAsleep) continue;
        if (!isUnavailable(error)) await told(error);
        else log.debug({ err: error, event: 'mailbox' }, 'PostgreSQL is unavailable; the mailbox waits');
      }
      // Also the pause of those who wait for the lease, and between two sessions.
      await pause(times.pollMs / 15, undefined, { signal }).catch(() => {});
    }
    if (hasSession) await leaveMailbox(database, key, instance).catch(() => {});
  }

  async function readFor(at: string): Promise<void> {
    const lost = new AbortController();
    hangUp = () => lost.abort();
    const renewing = every(
      leaseMs / 3,
      async () => {
        const isHeld = await holdMailbox(database, key, instance, leaseMs).catch(() => true);
        if (!isHeld) lost.abort();
      },
      { first: 'after a pause' },
    );
    hasSession = true;
    try {
      await signInAndRead(at, AbortSignal.any([signal, lost.signal]));
    } finally {
      await renewing.stop();
    }
  }

  /** A token that has ended, or was taken back, is renewed once. The way out keeps the one it has. */
  async function signInAndRead(at: string, until: AbortSignal): Promise<void> {
    if (mailbox.provider === undefined) return read(at, undefined, until);
    const { token, isNew } = await tokenOf(mailbox.provider);
    try {
      await read(at, token, until);
    } catch (error) {
      if (isNew || (error as { authenticationFailed?: boolean }).authenticationFailed !== true) throw error;
      await read(at, (await tokenOf(mailbox.provider, token)).token, until);
    }
  }

  async function tokenOf(provider: OAuth2Provider, instead?: string) {
    const answer = await start.tokens.tokenFor(provider, { instead });
    if ('failure' in answer)
      throw Object.assign(new Error('No access token'), { tokenFailure: answer.failure });
    return answer;
  }

  const read = (at: string, accessToken: string | undefined, until: AbortSignal): Promise<void> =>
    runSession({
      mailbox,
      host: at,
      accessToken,
      isCautious,
      signal: until,
      times,
      canaries: start.canaries,
      looking: (folder) => ({
        position: () => readPosition(database, key, folder),
        reached: (position) => storePosition(database, key, folder, position),
        record,
      }),
      async looked() {
        if (await recordLook(database, key)) log.info({ event: 'mailbox' }, 'The mailbox is read again');
      },
    });

  async function record(bytes: Buffer): Promise<boolean> {
    const reading = await readReport(bytes);
    if (reading.outcome === 'none') return false;
    const recorded = await recordReport(database, bytes, reading);
    if (recorded.outcome !== 'known') {
      start.counted?.(recorded.outcome);
      tellSuppressed(start, recorded.suppressed);
      log.info(
        { event: 'report', outcome: recorded.outcome, recipients: recorded.effects.length },
        'A delivery report was read',
      );
    }
    return reading.outcome === 'report';
  }

  async function told(error: unknown): Promise<void> {
    const failure = failureOf(error);
    // A header that is longer than we read: from now on only the beginning of a mail is asked for.
    if ((error as { code?: string }).code === 'LiteralTooLarge') isCautious = true;
    log.warn(
      { err: error, event: 'mailbox', cause: failure.cause },
      'The mailbox for delivery reports cannot be read',
    );
    const isNews = await recordFailure(database, key, failure).catch(() => false);
    if (isNews) {
      const { cause, detail, stage } = failure;
      start.alert({ kind: 'mailbox-failing', lane: 'SMTP', cause, stage, detail });
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

function tellSuppressed({ log, alert, suppressed: counted }: Start, suppressed: Suppressed): void {
  const { added, withheld, isNews } = suppressed;
  counted?.(suppressed);
  if (added.length > 0) {
    log.info(
      { event: 'suppressed', recipients: added.length },
      'A report put an address onto the suppression list',
    );
  }
  if (!isNews) return;
  alert({
    kind: 'suppressions-limited',
    lane: 'SMTP',
    cause: 'too-many-reports',
    stage: 'accepted',
    detail: `${withheld} of the newest report`,
    words: {
      title: 'Delivery reports would put more than 50 addresses an hour onto the suppression list',
      fix:
        'What is above that is only marked as bounced, and still written to. Look at the newest reports in the sending ' +
        'mailbox: if they are real, many addresses of the last mails do not exist; if not, somebody invents reports.',
    },
  });
}

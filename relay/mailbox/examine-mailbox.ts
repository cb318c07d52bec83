// The mailbox for delivery reports as the doctor sees it: whether it can be reached, whether it takes the login, and
// which folders would be read. Reads no mail.
import type { BounceMailbox } from '../../deploy/bounce-mailbox.ts';
import type { MailboxState, ReportsWithoutEffect } from '../client/status/mailbox.ts';
import { failureOf } from './failure.ts';
import { placeOf } from './place.ts';
import { foldersOf, optionsOf, usualTimes } from './session.ts';

type StepName = 'connect' | 'login' | 'folders';

export type MailboxStep = {
  readonly step: StepName;
  readonly outcome: 'passed' | 'failed' | 'not reached';
  readonly ms: number | null;
  readonly says: string;
};

export type MailboxExamination = {
  readonly ok: boolean;
  readonly user: string;
  readonly host: string | null;
  readonly port: number;
  readonly steps: readonly MailboxStep[];
  /** Null when nothing failed. */
  readonly cause: string | null;
  /** What running relays know; null when the database was not asked. */
  readonly reading:
    | (MailboxState & {
        /** Reports of the last 14 days that changed nothing. */
        readonly withoutEffect: readonly ReportsWithoutEffect[];
      })
    | null;
};

export type Known = MailboxExamination['reading'];

const longestMs = 10_000;
const order: readonly StepName[] = ['connect', 'login', 'folders'];

/** Never rejects. Signs in once. */
export async function examineMailbox(
  mailbox: BounceMailbox,
  { accessToken, tokenFailure }: { accessToken?: string | undefined; tokenFailure?: unknown },
): Promise<Omit<MailboxExamination, 'reading'>> {
  const { user, port } = mailbox;
  const host = placeOf(mailbox)?.host ?? null;
  const steps: MailboxStep[] = [];
  let since = performance.now();
  const pass = (step: StepName, says: string) => {
    steps.push({ step, outcome: 'passed', ms: Math.round(performance.now() - since), says });
    since = performance.now();
  };
  const end = (cause: string | null, failed?: { step: StepName; says: string }) => {
    const ms = Math.round(performance.now() - since);
    if (failed) steps.push({ step: failed.step, outcome: 'failed', ms, says: failed.says });
    const missing = order.slice(steps.length).map((step) => notReached(step));
    return { ok: cause === null, user, host, port, steps: [...steps, ...missing], cause };
  };
  if (host === null) {
    const says = 'BOUNCE_IMAP_HOST is not set, and the provider is none whose mailboxes are known';
    return end('imap-unreachable', { step: 'connect', says });
  }
  if (tokenFailure !== undefined) {
    return end('imap-sign-in', { step: 'connect', says: failureOf({ tokenFailure }).detail });
  }
  const { ImapFlow } = await import('imapflow');
  const times = { ...usualTimes, connectMs: longestMs, silenceMs: longestMs };
  const client = new ImapFlow(optionsOf({ mailbox, host, accessToken, times }));
  // The rejection of a command says the same.
  client.on('error', () => {});
  const timer = setTimeout(() => client.close(), longestMs);
  try {
    await client.connect();
    pass('connect', `${host} port ${port}${client.secureConnection ? ', TLS' : ''}`);
    pass('login', `as ${user}`);
    const known = await client.list();
    const read = await foldersOf(client, mailbox);
    const lost = read.find((path) => !known.some((each) => each.path === path));
    if (lost !== undefined) return end('imap-folder', { step: 'folders', says: `${lost} does not exist` });
    pass('folders', read.toReversed().join(', '));
    return end(null);
  } catch (error) {
    const { cause, detail } = failureOf(error);
    if (cause === 'imap-sign-in' && steps.length === 0) pass('connect', `${host} port ${port}`);
    return end(cause, { step: order[steps.length] ?? 'folders', says: detail });
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

const notReached = (step: StepName): MailboxStep => ({ step, outcome: 'not reached', ms: null, says: '' });

// One IMAP session: sign in, look, wait for news, look again, until it ends. That sessions end is normal: a token runs
// out after an hour, a server restarts.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { ImapFlow, ImapFlowOptions } from 'imapflow';
import type { BounceMailbox } from '../../deploy/bounce-mailbox.ts';
import type { CanaryReader, Looking } from './look.ts';
import { lookThrough } from './look.ts';

export type SessionTimes = {
  /** Between two looks without IDLE, and with it: the junk folder is not the one that IDLE watches. */
  readonly pollMs: number;
  readonly idlePollMs: number;
  readonly connectMs: number;
  /** Nothing was heard: the other side is gone. */
  readonly silenceMs: number;
};

export const usualTimes: SessionTimes = {
  pollMs: 30_000,
  idlePollMs: 60_000,
  connectMs: 30_000,
  silenceMs: 150_000,
};

type Session = {
  readonly mailbox: BounceMailbox;
  readonly host: string;
  readonly accessToken: string | undefined;
  readonly isCautious: boolean;
  readonly signal: AbortSignal;
  readonly times: SessionTimes;
  readonly canaries: CanaryReader | undefined;
  /** What a look needs beside the connection. */
  looking(folder: string): Pick<Looking, 'position' | 'reached' | 'record'>;
  /** A look through all folders is over. */
  looked(): Promise<void>;
};

/** Resolves when it was stopped, or when the server ended a session that was good for something; else rejects. */
export async function runSession(session: Session): Promise<void> {
  const { signal, mailbox } = session;
  // Loaded only where mail is read: it and what it needs would cost every relay some megabytes.
  const { ImapFlow } = await import('imapflow');
  const client = new ImapFlow(optionsOf(session));
  let failure: unknown;
  client.on('error', (error) => {
    failure = error;
  });
  const stop = () => client.close();
  signal.addEventListener('abort', stop);
  let looks = 0;
  try {
    await client.connect();
    const folders = await foldersOf(client, mailbox);
    const junk = await junkOf(client);
    await makeTarget(client, mailbox);
    const news = watchNews(client);
    while (!signal.aborted && client.usable) {
      news.reset();
      for (const folder of folders) {
        await lookThrough({
          ...session.looking(folder),
          client,
          folder,
          moveTo: mailbox.moveTo,
          isCautious: session.isCautious,
          canaries: session.canaries,
          isJunk: folder === junk,
          signal,
        });
      }
      if (signal.aborted) return;
      looks++;
      await session.looked();
      await news.wait(session.times, signal);
    }
    if (!signal.aborted && looks === 0) throw failure ?? new Error('The server closed the connection');
  } catch (error) {
    if (signal.aborted) return;
    // A connection that broke later is opened again; what the server refused is told.
    if (looks === 0 || (error as { responseStatus?: string }).responseStatus !== undefined)
      throw failure ?? error;
  } finally {
    signal.removeEventListener('abort', stop);
    client.close();
  }
}

export function optionsOf({
  mailbox,
  host,
  accessToken,
  times,
}: Pick<Session, 'mailbox' | 'host' | 'accessToken' | 'times'>): ImapFlowOptions {
  const { port, tlsMode, user, password, caFile } = mailbox;
  return {
    host,
    port,
    secure: tlsMode === 'implicit',
    ...(tlsMode === 'starttls' && { doSTARTTLS: true }),
    auth: accessToken === undefined ? { user, pass: password ?? '' } : { user, accessToken },
    tls: caFile === undefined ? {} : { ca: [...rootCertificates, readFileSync(caFile, 'utf8')] },
    clientInfo: { name: 'postern' },
    logger: false,
    disableAutoIdle: true,
    connectionTimeout: times.connectMs,
    greetingTimeout: times.connectMs,
    socketTimeout: times.silenceMs,
    maxLiteralSize: 4 * 1024 * 1024,
    maxLineLength: 4 * 1024 * 1024,
    maxResponseSize: 8 * 1024 * 1024,
  };
}

/** The inbox last: it stays open while we wait for news. */
export async function foldersOf(client: ImapFlow, { folders }: BounceMailbox): Promise<string[]> {
  if (folders.length > 0) return [...folders].reverse();
  const junk = await junkOf(client);
  return [...(junk === undefined ? [] : [junk]), 'INBOX'];
}

const junkOf = async (client: ImapFlow): Promise<string | undefined> =>
  (await client.list()).find(({ specialUse }) => specialUse === '\\Junk')?.path;

async function makeTarget(client: ImapFlow, { moveTo }: BounceMailbox): Promise<void> {
  if (moveTo === undefined) return;
  const isThere = (await client.list()).some(({ path }) => path === moveTo);
  if (!isThere) await client.mailboxCreate(moveTo);
}

function watchNews(client: ImapFlow) {
  let hasNews = false;
  let wake = () => {};
  client.on('exists', () => {
    hasNews = true;
    wake();
  });
  client.on('close', () => wake());
  return {
    reset() {
      hasNews = false;
    },
    async wait({ pollMs, idlePollMs }: SessionTimes, signal: AbortSignal): Promise<void> {
      if (hasNews || !client.usable) return;
      const canIdle = client.capabilities.has('IDLE');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, canIdle ? idlePollMs : pollMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
        // Ended by the next command; when it fails the connection does, which wakes us.
        if (canIdle) client.idle().catch(() => {});
      });
      signal.removeEventListener('abort', wake);
      wake = () => {};
    },
  };
}

// Sends mails to oneself when somebody asks, or once a day, and knows them again when they are back. They take the way
// of all mail: the queue, the lanes and their pace.
import { randomBytes } from 'node:crypto';
import type { Database, Queryable } from '../../deploy/database.ts';
import { isUnavailable } from '../../deploy/database.ts';
import type { RelayEnvironment } from '../../deploy/environment.ts';
import type { Log } from '../../deploy/log.ts';
import { alwaysAwake, everyWhileAwake, type Sleep } from '../../deploy/sleep.ts';
import { newQueueId } from '../client/queue-id.ts';
import {
  askDailyCanaries,
  findCanary,
  settleCanary,
  storeCanary,
  takeCanary,
} from '../client/status/canaries.ts';
import { domainIn } from '../domain/sending-domains.ts';
import { dateTime } from '../smtp/date-time.ts';
import { composeCanary, tokenIn } from './compose.ts';
import { judgeArrival } from './judge.ts';

type Open = {
  readonly environment: Pick<RelayEnvironment, 'from' | 'providers' | 'bounceMailbox' | 'canaryTo'>;
  readonly database: Database;
  readonly log: Log;
  /** Called when one waits in the queue. */
  readonly queued: () => void;
  readonly sleep?: Sleep;
};

export type ReturnedMail = {
  /** Its header at least. */
  readonly bytes: Buffer;
  readonly folder: string;
  readonly isJunk: boolean;
  /** By the mailbox's clock. */
  readonly arrivedAt: Date | undefined;
};

export type Canaries = AsyncDisposable & {
  /** Looks now whether somebody asks. */
  look(): void;
  /** Whether a mail with this subject may be one. */
  mayBeOne(subject: string): boolean;
  /** Answers whether it was one of ours. */
  returned(mail: ReturnedMail): Promise<boolean>;
};

const lookEveryMs = 10 * 60_000;

export function openCanaries({ environment, database, log, queued, sleep = alwaysAwake }: Open): Canaries {
  const { from, providers, bounceMailbox, canaryTo } = environment;
  const own = bounceMailbox?.user.includes('@') ? bounceMailbox.user : from?.email;
  const senders = [from?.email, ...providers.flatMap(({ allowedSenders }) => allowedSenders)].filter(
    (sender): sender is string => sender?.includes('@') === true && !sender.startsWith('*'),
  );
  const looking = everyWhileAwake(sleep, lookEveryMs, look);

  async function look(): Promise<void> {
    if (own === undefined || providers.length === 0) return;
    try {
      if (canaryTo.length > 0) await askDailyCanaries(database);
      while (await database.transaction(send)) queued();
    } catch (error) {
      if (!isUnavailable(error))
        log.warn({ err: error, event: 'canary' }, 'The mail to oneself could not be queued');
    }
  }

  /** Answers whether somebody had asked. */
  async function send(tx: Queryable): Promise<boolean> {
    const domain = await takeCanary(tx);
    if (domain === undefined) return false;
    const sender = senders.find((each) => domainIn(each) === domain);
    if (sender === undefined) {
      log.warn({ event: 'canary', domain }, `No sender of ${domain} is a full address: no mail to oneself`);
      return true;
    }
    for (const recipient of new Set([own ?? sender, ...canaryTo]))
      await queue(tx, { domain, sender, recipient });
    return true;
  }

  return {
    look: looking.now,
    mayBeOne: (subject) => tokenIn(subject) !== undefined,
    async returned({ bytes, folder, isJunk, arrivedAt }) {
      const header = headerFields(bytes);
      const valuesOf = (name: string) => header.filter(([field]) => field === name).map(([, value]) => value);
      const token = tokenIn(valuesOf('subject')[0] ?? '');
      const canary = token === undefined ? undefined : await findCanary(database, token);
      if (token === undefined || canary === undefined) return false;
      const judged = judgeArrival({
        domain: canary.domain,
        sender: canary.sender,
        isOwnMailbox: canary.recipient === own,
        folder,
        isJunk,
        from: /<([^<>]*)>\s*$/.exec(valuesOf('from')[0] ?? '')?.[1] ?? valuesOf('from')[0]?.trim() ?? '',
        authentication: valuesOf('authentication-results'),
        signatures: valuesOf('dkim-signature'),
      });
      await settleCanary(database, token, { ...judged, arrivedAt, folder, isJunk });
      log.info(
        { event: 'canary', domain: canary.domain, result: judged.result, folder, isJunk },
        'A mail to oneself came back',
      );
      return true;
    },
    [Symbol.asyncDispose]: () => looking.stop(),
  };
}

async function queue(
  tx: Queryable,
  { domain, sender, recipient }: { domain: string; sender: string; recipient: string },
): Promise<void> {
  const token = randomBytes(16).toString('hex');
  const queueId = newQueueId();
  const messageId = `<${queueId}@${domain}>`;
  const content = composeCanary({
    token,
    from: sender,
    to: recipient,
    messageId,
    date: dateTime(new Date()),
  });
  await storeCanary(tx, { token, domain, sender, recipient, queueId });
  await tx.query(
    `with canary_mail as (
       insert into message (queue_id, credential, sender, header_from, message_id, size, priority, eight_bit)
       values ($1, 'postern', $2, $2, $3, $4, 1, false) returning queue_id, priority
     ), part as (
       insert into message_part (queue_id, part, content) values ($1, 0, $5)
     ), recipient_of_canary as (
       insert into recipient (queue_id, ordinal, address, status, priority, next_attempt_at)
       select queue_id, 0, $6, 'queued', priority, now() from canary_mail
     )
     insert into event (type, queue_id, detail) values ('queued', $1, jsonb_build_object('canary', $7::text))`,
    [queueId, sender, messageId, content.length, content, recipient, domain],
  );
}

const longestHeader = 64 * 1024;
const mostFields = 400;

/** In their order, with lower-case names, unfolded. */
function headerFields(bytes: Buffer): [string, string][] {
  const text = bytes.subarray(0, longestHeader).toString('latin1');
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  return text
    .slice(0, end)
    .replaceAll(/\r?\n(?=[ \t])/g, '')
    .split(/\r?\n/)
    .slice(0, mostFields)
    .flatMap((line): [string, string][] => {
      const [, name = '', value = ''] = /^([!-9;-~]+)[ \t]*:[ \t]*(.*)$/.exec(line) ?? [];
      return name === '' ? [] : [[name.toLowerCase(), value]];
    });
}

// MAIL, RCPT and DATA on an open session: with PIPELINING (RFC 2920) all at once, otherwise one after the other.
import { type Envelope, type Extension, isAscii, mailCommand, rcptCommand } from './envelope-commands.ts';
import type { Exchange } from './nodemailer.ts';

/** Who was taken and who was not, as far as the replies have come. */
export type Taken = {
  readonly accepted: string[];
  readonly refused: Map<string, Error>;
  /** What MAIL was answered, when that was a no. */
  mailRefused?: Error;
  /** The server waits for a message although it refused its sender: nothing it says can be relied on. */
  isOutOfStep?: true;
};

/** A reply that refuses, as nodemailer words it: the verdict module and people meet one wording for one thing. */
export function refusedBy(reply: string, what: string, command: string, code = 'EENVELOPE'): Error {
  const responseCode = Number(/^\d+/.exec(reply)?.[0]);
  return Object.assign(new Error(`${what}: ${reply}`), {
    code,
    command,
    response: reply,
    ...(responseCode > 0 && { responseCode }),
  });
}

const nameRefused = 'Internationalized mailbox name not allowed';
/** RFC 6531 section 3.5: the code by which a server refuses an address because it is not ASCII. */
const refusesName = (reply: string, code: string, address: string) =>
  reply.startsWith(`${code} `) && !isAscii(address);

const isYes = (reply: string) => reply.startsWith('2');
/** Some servers say 250 where 354 belongs. */
const mayBegin = (reply: string) => /^[23]/.test(reply);

/**
 * Resolves when the message may begin. Rejects with what refused it; `taken` says who refused what. Never settles when
 * the connection is lost.
 *
 * @param recipients those of the message who are to be sent to
 */
export async function sendEnvelope(
  exchange: Exchange,
  message: Envelope,
  offers: (extension: Extension) => boolean,
  taken: Taken,
): Promise<void> {
  const { recipients } = message;
  const mail = mailCommand(message, offers);
  const rcpts = recipients.map((address) => rcptCommand(address, message, offers));
  const heardMail = (reply: string) => {
    if (isYes(reply)) return;
    const what = refusesName(reply, '550', message.sender) ? nameRefused : 'Mail command failed';
    taken.mailRefused = refusedBy(reply, what, 'MAIL FROM');
  };
  const heardRcpt = (address: string) => (reply: string) => {
    if (isYes(reply)) {
      taken.accepted.push(address);
      return;
    }
    const what = refusesName(reply, '553', address) ? nameRefused : 'Recipient command failed';
    taken.refused.set(address, refusedBy(reply, what, 'RCPT TO'));
  };

  if (!offers('PIPELINING')) {
    await ask(exchange, mail, heardMail);
    if (taken.mailRefused) throw taken.mailRefused;
    for (const [at, address] of recipients.entries())
      await ask(exchange, rcpts[at] as string, heardRcpt(address));
    if (taken.accepted.length === 0) throw nobody(taken);
    const reply = await ask(exchange, 'DATA');
    if (!mayBegin(reply)) throw refusedBy(reply, 'Data command failed', 'DATA');
    return;
  }

  const reply = await new Promise<string>((resolve) => {
    exchange.send([
      [mail, heardMail],
      ...recipients.map((address, at) => [rcpts[at] as string, heardRcpt(address)] as const),
      ['DATA', resolve],
    ]);
  });
  const refusal = taken.mailRefused ?? (taken.accepted.length === 0 ? nobody(taken) : undefined);
  if (refusal === undefined) {
    if (!mayBegin(reply)) throw refusedBy(reply, 'Data command failed', 'DATA');
    return;
  }
  if (!reply.startsWith('3')) throw refusal;
  // It waits for a message that has no recipients. Whoever took DATA after a refused MAIL is not to be trusted with one;
  // otherwise an empty one ends it (RFC 2920 section 3.1).
  if (taken.mailRefused) {
    taken.isOutOfStep = true;
    throw refusal;
  }
  await ask(exchange, '.');
  throw refusal;
}

function ask(exchange: Exchange, line: string, heard?: (reply: string) => void): Promise<string> {
  return new Promise((resolve) =>
    exchange.send([
      [
        line,
        (reply) => {
          heard?.(reply);
          resolve(reply);
        },
      ],
    ]),
  );
}

/** Every recipient was refused: for the mail as a whole the milder word counts. */
function nobody({ refused }: Taken): Error {
  const all = [...refused.values()] as (Error & { response: string; responseCode?: number })[];
  const deferred = all.find(({ responseCode }) => responseCode !== undefined && responseCode < 500);
  const reply = (deferred ?? all.at(-1))?.response ?? '';
  return refusedBy(reply, "Can't send mail - all recipients were rejected", 'RCPT TO');
}

// The part of the examination that the provider remembers: one login, and the two commands that show whether the
// sender is allowed, taken back with RSET before there is a message.
import { createHmac } from 'node:crypto';
import { newQueueId, taggedSender } from '../client/queue-id.ts';
import { afterReason, bearerCommand, bearerMechanismOf, noBearerMechanism } from '../smtp/bearer.ts';
import type { Answer, Talk } from './talk.ts';
import { type TimeLimits, within } from './time-limits.ts';
import { demand, Refusal, take, type Walk } from './walk.ts';

type Credential =
  | { readonly user: string; readonly password: string }
  | { readonly user: string; readonly token: string };

/** Mechanisms in nodemailer's order: the doctor must sign in the way delivery does. */
const mechanisms = ['PLAIN', 'LOGIN', 'CRAM-MD5'] as const;

/** Why no AUTH was sent although a login is set; undefined when one can be. */
export function obstacleToSignIn(
  offered: readonly string[],
  { withToken }: { withToken: boolean },
): Error | undefined {
  const auth = offered.filter((keyword) => /^AUTH[ =]/i.test(keyword)).join(' ');
  if (auth === '') return Object.assign(new Error('The server does not offer AUTH'), { code: 'ENOAUTH' });
  if (withToken) {
    const words = auth.replace(/^AUTH[ =]/i, '').split(/[\s=]+/);
    return bearerMechanismOf(words) ? undefined : noBearerMechanism(words);
  }
  return mechanismOf(auth)
    ? undefined
    : new Error(`No supported mechanism: the server offers ${auth.replace(/^AUTH[ =]/i, '')} only`);
}

/** One AUTH. Records the stage in the walk; true when the provider took the credential. */
export async function signIn(
  walk: Walk,
  talk: Talk,
  credential: Credential,
  { limits, signal }: { limits: TimeLimits; signal: AbortSignal },
): Promise<boolean> {
  const offered = (walk.offered ?? []).join(' ');
  if ('token' in credential) return signInWithToken(walk, talk, credential, { limits, signal });
  const mechanism = mechanismOf(offered) ?? 'PLAIN';
  const answer = await take(walk, 'auth', 2 * limits.command, signal, async () => {
    const reply = await authenticate(talk, mechanism, credential);
    return { value: reply, says: `${mechanism}: ${reply.text}` };
  });
  return answer !== undefined;
}

async function signInWithToken(
  walk: Walk,
  talk: Talk,
  { user, token }: Extract<Credential, { token: string }>,
  { limits, signal }: { limits: TimeLimits; signal: AbortSignal },
): Promise<boolean> {
  const words = (walk.offered ?? []).filter((keyword) => /^AUTH[ =]/i.test(keyword)).join(' ');
  const mechanism = bearerMechanismOf(words.split(/[\s=]+/)) ?? 'XOAUTH2';
  const command = `AUTH ${mechanism}`;
  const answer = await take(walk, 'auth', 2 * limits.command, signal, async () => {
    const { host, port } = walk.route;
    const first = await talk.ask(bearerCommand(mechanism, { user, token, host, port }));
    // Its reason is in there; the refusal comes when it has been acknowledged.
    const reply = first.code === 334 ? await talk.ask(afterReason[mechanism]) : first;
    demand(command, reply, [235]);
    return { value: reply, says: `${mechanism}: ${reply.text}` };
  });
  return answer !== undefined;
}

/** Asks for the sender and for a mail to oneself, and forgets both again. */
export async function tryEnvelope(
  walk: Walk,
  talk: Talk,
  { from, to, limits, signal }: { from: string; to: string; limits: TimeLimits; signal: AbortSignal },
): Promise<boolean> {
  const ask = (stage: 'mail' | 'rcpt', name: string, command: string, codes: readonly number[]) =>
    take(walk, stage, limits.command, signal, async () => {
      const reply = demand(name, await talk.ask(command), codes);
      return { value: reply, says: reply.text };
    });
  if (!(await ask('mail', 'MAIL FROM', `MAIL FROM:<${from}>`, [250]))) return false;
  return (await ask('rcpt', 'RCPT TO', `RCPT TO:<${to}>`, [250, 251])) !== undefined;
}

/** Whether the provider takes a sender with the id of a mail in it (BOUNCE_VERP): what it said when it does not. */
export async function tryTaggedSender(
  talk: Talk,
  { from, limits, signal }: { from: string; limits: TimeLimits; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    return await within('mail', 2 * limits.command, signal, async () => {
      await talk.ask('RSET');
      const reply = await talk.ask(`MAIL FROM:<${taggedSender(from, newQueueId())}>`);
      return reply.code === 250 ? undefined : reply.text;
    });
  } catch {
    // The connection was lost: of the tag nothing is known.
    return undefined;
  }
}

/** Sends a message of a few lines after an accepted envelope: some providers refuse the sender only here. */
export async function sendCanary(
  walk: Walk,
  talk: Talk,
  { message, limits, signal }: { message: string; limits: TimeLimits; signal: AbortSignal },
): Promise<boolean> {
  const ready = await take(walk, 'data', limits.command, signal, async () => {
    const reply = demand('DATA', await talk.ask('DATA'), [354]);
    return { value: reply, says: reply.text };
  });
  if (!ready) return false;
  const taken = await take(walk, 'dot', 2 * limits.command, signal, async () => {
    const reply = demand('', await talk.ask(`${message}\r\n.`), [250]);
    return { value: reply, says: reply.text };
  });
  return taken !== undefined;
}

function mechanismOf(keywords: string): (typeof mechanisms)[number] | undefined {
  const offered = keywords.toUpperCase().split(/[\s,=]+/);
  return mechanisms.find((mechanism) => offered.includes(mechanism));
}

async function authenticate(
  talk: Talk,
  mechanism: (typeof mechanisms)[number],
  { user, password }: Extract<Credential, { password: string }>,
): Promise<Answer> {
  const command = `AUTH ${mechanism}`;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  if (mechanism === 'PLAIN') {
    // RFC 4616, with the initial response of RFC 4954 §4.
    return demand(command, await talk.ask(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`), [235]);
  }
  const challenge = demand(command, await talk.ask(command), [334]);
  if (mechanism === 'LOGIN') {
    demand(command, await talk.ask(base64(user)), [334]);
    return demand(command, await talk.ask(base64(password)), [235]);
  }
  // RFC 2195: the password never travels, only a digest over the server's challenge.
  const question = Buffer.from(challenge.text.slice(4), 'base64');
  if (question.length === 0) throw new Refusal(command, challenge);
  const digest = createHmac('md5', password).update(question).digest('hex');
  return demand(command, await talk.ask(base64(`${user} ${digest}`)), [235]);
}

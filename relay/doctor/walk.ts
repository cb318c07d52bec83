// Walks one route over one address family, stage by stage, up to the point where a login would come.
import { isIP, type Socket } from 'node:net';
import type { RouteSetting } from '../../deploy/environment.ts';
import type { Stage } from '../client/vocabulary.ts';
import { tlsOptions } from '../smtp/connect.ts';
import { ehloName } from '../smtp/ehlo-name.ts';
import { inWords, type StageFailure } from '../smtp/failure.ts';
import { symptomOf } from '../smtp/symptom.ts';
import { type Handshake, startTls } from './certificate.ts';
import type { CertificateReport, Speaker, Step } from './examination.ts';
import { reach } from './reach.ts';
import { kindOf, whoIsThere } from './speaker.ts';
import { type Answer, NotSmtp, openTalk, type Talk } from './talk.ts';
import { type TimeLimits, within } from './time-limits.ts';

export type Walk = {
  readonly provider: string;
  readonly route: RouteSetting;
  readonly family: 'IPv4' | 'IPv6' | null;
  readonly address: string | null;
  /** Whether an access token stands before it all. */
  readonly needsToken: boolean;
  /** Grows while the walk goes on. */
  readonly steps: Step[];
  failure?: StageFailure;
  certificate?: CertificateReport;
  beforeTls?: readonly string[];
  offered?: readonly string[];
  speaker?: Speaker;
  /** The open conversation, when it came this far. */
  talk?: Talk;
};

const stagesOf = {
  implicit: ['dns', 'tcp', 'tls', 'greeting', 'ehlo', 'auth', 'mail', 'rcpt'],
  starttls: ['dns', 'tcp', 'greeting', 'ehlo', 'starttls', 'auth', 'mail', 'rcpt'],
  none: ['dns', 'tcp', 'greeting', 'ehlo', 'auth', 'mail', 'rcpt'],
} as const satisfies Record<RouteSetting['tlsMode'], readonly Stage[]>;

/** All stages of a route with those that were not come to; behind them what only a test message comes to. */
export function completeSteps({
  route,
  steps,
  needsToken,
}: Pick<Walk, 'route' | 'steps' | 'needsToken'>): Step[] {
  const done = new Map(steps.map((step) => [step.stage, step]));
  const stages: readonly Stage[] = [...(needsToken ? (['token'] as const) : []), ...stagesOf[route.tlsMode]];
  return [
    ...stages.map((stage): Step => done.get(stage) ?? { stage, outcome: 'not reached', ms: null, says: '' }),
    ...steps.filter(({ stage }) => !stages.includes(stage)),
  ];
}

/** Does one stage of a walk: writes its step, and its failure when it fails. */
export async function take<T>(
  walk: Walk,
  stage: Stage,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<{ value: T; says: string }>,
): Promise<T | undefined> {
  const since = performance.now();
  const spent = () => Math.round(performance.now() - since);
  try {
    const { value, says } = await within(stage, ms, signal, work);
    walk.steps.push({ stage, outcome: 'passed', ms: spent(), says });
    return value;
  } catch (error) {
    walk.failure = failureOf(stage, error);
    walk.steps.push({ stage, outcome: 'failed', ms: spent(), says: inWords(walk.failure) });
    return undefined;
  }
}

/** A reply that says no, as an error that carries it. */
export class Refusal extends Error {
  readonly answer: Answer;
  readonly command: string;

  constructor(command: string, answer: Answer) {
    super(answer.text);
    this.command = command;
    this.answer = answer;
  }
}

export function demand(command: string, answer: Answer, codes: readonly number[]): Answer {
  if (!codes.includes(answer.code)) throw new Refusal(command, answer);
  return answer;
}

function failureOf(stage: Stage, error: unknown): StageFailure {
  if (error instanceof Refusal) {
    const { code, enhanced, text } = error.answer;
    return {
      stage,
      symptom: {
        responseCode: code,
        reply: text,
        command: error.command,
        ...(enhanced !== null && { enhanced }),
      },
    };
  }
  if (error instanceof NotSmtp) return { stage, symptom: { reply: error.said, message: error.message } };
  return { stage, symptom: symptomOf(error) };
}

/**
 * Walks until EHLO over TLS is answered, or to the first stage that fails; then finds out who is there instead.
 * Nothing of ours is revealed. Never rejects.
 */
export async function walkRoute(
  walk: Walk,
  {
    authorities,
    limits,
    signal,
  }: { authorities: readonly string[]; limits: TimeLimits; signal: AbortSignal },
): Promise<void> {
  const { route, address } = walk;
  if (address === null) return;
  const tls = tlsOptions(route, authorities);
  const asking = new AbortController();
  const ask = () => whoIsThere(address, route.port, tls, AbortSignal.any([signal, asking.signal]));

  const socket = await take(walk, 'tcp', limits.tcp, signal, async (until) => ({
    value: await reach(address, route.port, until),
    says: `connected to ${address}`,
  }));
  if (!socket) return;

  const connection =
    route.tlsMode === 'implicit' ? await secure(walk, 'tls', socket, tls, limits, signal) : socket;
  if (connection) await converse(walk, connection, { tls, limits, signal, ask });
  else if (walk.certificate === undefined) await meet(walk, ask);

  asking.abort();
  if (walk.failure) {
    walk.talk?.socket.destroy();
    delete walk.talk;
    socket.destroy();
  }
}

type Options = ReturnType<typeof tlsOptions>;

async function secure(
  walk: Walk,
  stage: 'tls' | 'starttls',
  plain: Socket,
  tls: Options,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<Socket | undefined> {
  return take(walk, stage, limits.tls, signal, async (until) => {
    const handshake = await startTls(plain, tls, until);
    walk.certificate = handshake.certificate;
    if (handshake.doubt) {
      // Before a single word: the peer may be anybody.
      handshake.socket.destroy();
      throw handshake.doubt;
    }
    return { value: handshake.socket, says: describeHandshake(handshake) };
  });
}

function describeHandshake({ certificate: { protocol, subject, issuer, validTo } }: Handshake): string {
  return `${protocol}, certificate of ${subject} by ${issuer}, valid until ${validTo}`;
}

async function converse(
  walk: Walk,
  socket: Socket,
  {
    tls,
    limits,
    signal,
    ask,
  }: { tls: Options; limits: TimeLimits; signal: AbortSignal; ask: () => Promise<Speaker> },
): Promise<void> {
  const { route } = walk;
  let talk = openTalk(socket);
  walk.talk = talk;
  const greeted = await take(walk, 'greeting', limits.greeting, signal, async (until) => {
    const answer = demand('CONN', await orStranger(walk, talk, limits, until, ask), [220]);
    return { value: answer, says: answer.text };
  });
  if (!greeted) {
    if (walk.failure?.symptom.responseCode === undefined && !walk.speaker) await meet(walk, ask);
    return;
  }

  const keywords = await hello(walk, 'ehlo', talk, limits, signal);
  if (!keywords) return;
  if (route.tlsMode !== 'starttls') {
    walk.offered = keywords;
    return;
  }
  walk.beforeTls = keywords;
  const started = await take(walk, 'starttls', limits.command, signal, async () => {
    if (!keywords.some((keyword) => /^STARTTLS$/i.test(keyword))) {
      const rewritten = keywords.some((keyword) => /^X{5,}/.test(keyword));
      throw new Error(
        rewritten
          ? 'The server does not offer STARTTLS; XXXXXXXX in its place shows that something on the way rewrites SMTP'
          : 'The server does not offer STARTTLS',
      );
    }
    return { value: demand('STARTTLS', await talk.ask('STARTTLS'), [220]), says: 'ready' };
  });
  if (!started) return;
  walk.steps.pop();
  const secured = await secure(walk, 'starttls', talk.release(), tls, limits, signal);
  if (!secured) return;
  talk = openTalk(secured);
  walk.talk = talk;
  const step = walk.steps.findIndex(({ stage }) => stage === 'ehlo');
  const [before] = walk.steps.splice(step, 1);
  const offered = await hello(walk, 'ehlo', talk, limits, signal);
  if (offered) walk.offered = offered;
  // The second EHLO stands for both: its keywords are those that count.
  const after = walk.steps.pop();
  if (after) walk.steps.splice(step, 0, { ...after, ms: (after.ms ?? 0) + (before?.ms ?? 0) });
}

/** The greeting, or word of who is really there when it is late. */
async function orStranger(
  walk: Walk,
  talk: Talk,
  limits: TimeLimits,
  until: AbortSignal,
  ask: () => Promise<Speaker>,
): Promise<Answer> {
  const greeting = talk.hear();
  const suspicion = new Promise<'late'>((resolve) => {
    const timer = setTimeout(() => resolve('late'), limits.suspicion);
    until.addEventListener('abort', () => clearTimeout(timer));
    void greeting.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  });
  const first = await Promise.race([greeting, suspicion]);
  if (first !== 'late') return first;
  const stranger = ask().then((speaker) => {
    if (speaker.kind === 'silence' || speaker.kind === 'nobody') return greeting;
    // An SMTP server that is merely slow will greet us, too.
    if (speaker.kind === 'smtp') return greeting;
    walk.speaker = speaker;
    throw strangerError(speaker);
  });
  return Promise.race([greeting, stranger]);
}

/** Who answers instead: what they said tells more than what our library made of it. */
async function meet(walk: Walk, ask: () => Promise<Speaker>): Promise<void> {
  const { failure } = walk;
  if (!failure) return;
  const said = failure.symptom.reply;
  const speaker =
    said !== undefined && kindOf(said) !== 'unknown' ? { kind: kindOf(said), said } : await ask();
  if (speaker.kind === 'nobody' || speaker.kind === 'silence') return;
  walk.speaker = speaker;
  if (['imap', 'pop3', 'ssh', 'http'].includes(speaker.kind)) {
    walk.failure = {
      stage: failure.stage,
      symptom: { reply: speaker.said, message: 'Invalid greeting or reply' },
    };
  } else if (speaker.kind === 'tls' && walk.route.tlsMode !== 'implicit') {
    walk.failure = { stage: failure.stage, symptom: symptomOf(strangerError(speaker)) };
  }
}

function strangerError({ kind, said }: Speaker): Error {
  if (kind === 'tls')
    return new Error('unexpected TLS packet: TLS from the first byte is spoken on this port');
  if (kind === 'hangs up') return new Error('Connection closed unexpectedly');
  return new NotSmtp(said);
}

/** EHLO, and its keywords (RFC 5321 §4.1.1.1). */
function hello(
  walk: Walk,
  stage: 'ehlo',
  talk: Talk,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  return take(walk, stage, limits.command, signal, async () => {
    const answer = demand('EHLO', await talk.ask(`EHLO ${ehloName(talk.socket)}`), [250]);
    const keywords = answer.text
      .split('\n')
      .slice(1)
      .map((line) => line.slice(4).trim());
    return { value: keywords, says: keywords.join(', ') };
  });
}

/** One walk for each family that the host has an address of. */
export function planWalks(
  provider: string,
  route: RouteSetting,
  { ipv4, ipv6 }: { ipv4: readonly string[]; ipv6: readonly string[] },
  { dns, needsToken }: { dns: Step; needsToken: boolean },
): Walk[] {
  const start = (family: 'IPv4' | 'IPv6', address: string): Walk => ({
    provider,
    route,
    family,
    address,
    needsToken,
    steps: [isIP(route.host) ? { ...dns, outcome: 'skipped', ms: null, says: 'is an address' } : dns],
  });
  return [
    ...ipv4.slice(0, 1).map((address) => start('IPv4', address)),
    ...ipv6.slice(0, 1).map((address) => start('IPv6', address)),
  ];
}

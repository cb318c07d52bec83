// How long the doctor waits, in milliseconds. All routes are walked at the same time, so the sum stays below 15 s.
import type { Stage } from '../client/vocabulary.ts';

export type TimeLimits = Readonly<
  Record<'token' | 'dns' | 'tcp' | 'tls' | 'greeting' | 'command', number>
> & {
  /** Silence after which a second connection asks who is there. */
  readonly suspicion: number;
  /** Silence of the preferred route after which the next one that works is taken. */
  readonly preference: number;
  /** When everything up to AUTH must be over, counted from the start. */
  readonly opening: number;
  /** When everything must be over. */
  readonly all: number;
};

export const usualTimeLimits: TimeLimits = {
  token: 8_000,
  dns: 3_000,
  tcp: 5_000,
  tls: 4_000,
  // Some servers greet late on purpose, to scare off spam programs.
  greeting: 8_000,
  command: 5_000,
  suspicion: 2_000,
  preference: 3_000,
  opening: 9_500,
  all: 14_000,
};

/** The words are nodemailer's, so that people and the verdict module meet one wording for one thing. */
function silence(stage: Stage): Error {
  if (stage === 'dns') {
    return Object.assign(new Error('queryA ETIMEOUT'), { code: 'ETIMEOUT', syscall: 'queryA' });
  }
  const message =
    stage === 'tcp' ? 'Connection timeout' : stage === 'greeting' ? 'Greeting never received' : 'Timeout';
  const error = Object.assign(new Error(message), { code: 'ETIMEDOUT' });
  return stage === 'tcp' ? Object.assign(error, { syscall: 'connect' }) : error;
}

/** Runs `work` for at most `ms`; then its signal aborts and the result is rejected with the silence of that stage. */
export async function within<T>(
  stage: Stage,
  ms: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(silence(stage)), Math.max(ms, 1));
  const outerEnds = () => tooLong.abort(silence(stage));
  outer.addEventListener('abort', outerEnds);
  if (outer.aborted) outerEnds();
  try {
    return await Promise.race([work(tooLong.signal), rejected(tooLong.signal)]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', outerEnds);
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

// The clock of a session: how long each stage may take, and who is told when it takes longer.
import type { Stage } from '../client/vocabulary.ts';
import type { SmtpTimeouts } from './timeouts.ts';

export type StageTimer = {
  /** Allows this many milliseconds from now; replaces what was allowed before. */
  start(milliseconds: number): void;
  stop(): void;
  /** Who is told when the time is over, from now on. */
  onExpiry(handler: (error: Error) => void): void;
};

/** @param stage tells where the session is when the time is over */
export function openStageTimer(stage: () => Stage, expired: (error: Error) => void): StageTimer {
  let timer: NodeJS.Timeout | undefined;
  let handler = expired;
  return {
    start(milliseconds) {
      clearTimeout(timer);
      timer = setTimeout(() => handler(timeoutAt(stage())), milliseconds);
    },
    stop: () => clearTimeout(timer),
    onExpiry(next) {
      handler = next;
    },
  };
}

/** What each stage may take. @param timeoutMs SMTP_TIMEOUT */
export function stageLimits(timeoutMs: number, timeouts: SmtpTimeouts): Readonly<Record<Stage, number>> {
  return {
    config: timeoutMs,
    token: timeoutMs,
    dns: timeoutMs,
    tcp: timeoutMs,
    tls: timeoutMs,
    greeting: timeoutMs,
    ehlo: timeoutMs,
    starttls: timeoutMs,
    // A directory behind AUTH may be slow, and a second try would cost one of few.
    auth: 2 * timeoutMs,
    mail: timeouts.commandMs,
    rcpt: timeouts.commandMs,
    data: timeouts.dataMs,
    dot: timeouts.finalMs,
    accepted: timeouts.commandMs,
  };
}

/** The words are nodemailer's, so that people and the verdict module meet one wording for one thing. */
function timeoutAt(stage: Stage): Error {
  const connecting = stage === 'dns' || stage === 'tcp';
  const message = connecting
    ? 'Connection timeout'
    : stage === 'greeting'
      ? 'Greeting never received'
      : 'Timeout';
  const error = Object.assign(new Error(message), { code: 'ETIMEDOUT' });
  return stage === 'tcp' ? Object.assign(error, { syscall: 'connect' }) : error;
}

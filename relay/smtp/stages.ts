// Where a conversation is. nodemailer reports every socket error as `CONN`, so we keep count ourselves: of the
// commands that left and of the replies that came, in the order in which replies answer commands.
import type { Stage } from '../client/vocabulary.ts';

/** Milliseconds spent at each stage. */
export type Timings = Partial<Record<Stage, number>>;

export type StageTracker = {
  readonly stage: Stage;
  /** The stage of the command that the latest reply answered: with PIPELINING an earlier one. */
  readonly answered: Stage;
  readonly timings: Timings;
  /** For moments nodemailer does not tell: the sockets are ours, and so is the end of a message. */
  enter(stage: Stage): void;
  /** Begins the account of the next mail on the same session. */
  restart(): void;
  /** What nodemailer takes as its logger. Its transaction log is the one public account of what is on the wire. */
  readonly logger: {
    debug(entry: { tnx?: string }, text?: string): void;
    info(): void;
    warn(): void;
    error(): void;
  };
};

const stageOfCommand: Readonly<Record<string, Stage>> = {
  EHLO: 'ehlo',
  HELO: 'ehlo',
  STARTTLS: 'starttls',
  AUTH: 'auth',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
};

/** @param entered called whenever the stage changes: how long one may wait depends on it. */
export function trackStages(first: Stage, entered: (stage: Stage) => void): StageTracker {
  let stage = first;
  let answered = first;
  let since = performance.now();
  let timings: Timings = {};
  let awaited: Stage[] = [];

  const enter = (next: Stage) => {
    const now = performance.now();
    timings[stage] = round((timings[stage] ?? 0) + now - since);
    since = now;
    stage = next;
    entered(next);
  };

  return {
    get stage() {
      return stage;
    },
    get answered() {
      return answered;
    },
    get timings() {
      return { ...timings, [stage]: round((timings[stage] ?? 0) + performance.now() - since) };
    },
    enter,
    restart() {
      timings = {};
      awaited = [];
      since = performance.now();
    },
    logger: {
      debug({ tnx }, text = '') {
        if (tnx === 'client') {
          // What is no command is an answer to a challenge: still AUTH.
          const next = stageOfCommand[text.slice(0, 8).split(' ', 1)[0] ?? ''] ?? stage;
          awaited.push(next);
          // With PIPELINING several commands leave at once; we wait for the oldest unanswered one.
          if (awaited.length === 1) enter(next);
        } else if (tnx === 'server') {
          answered = awaited.shift() ?? stage;
          const next = awaited[0];
          if (next !== undefined && next !== stage) enter(next);
        }
      },
      info() {},
      warn() {},
      error() {},
    },
  };
}

const round = (milliseconds: number) => Math.round(milliseconds * 10) / 10;

// The words in which a test tells the provider how to misbehave, and the choice of what happens next.

/** A moment in the conversation at which a rule may step in. */
export type Stage =
  | 'connect' // TCP is established, nothing has been said; on the implicit port before TLS
  | 'tls' // before the handshake, implicit or after STARTTLS
  | 'greeting'
  | 'ehlo'
  | 'starttls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data' // the reply to the DATA command
  | 'body' // in the middle of the message, after `after` bytes
  | 'dot' // the final reply
  | 'rset'
  | 'noop'
  | 'quit';

/** What a rule may look at. */
export type Moment = {
  readonly stage: Stage;
  /** The connection's id. */
  readonly connection: number;
  readonly mode: Mode;
  /** The command line, without its line end; empty where there is none. */
  readonly command: string;
  readonly envelope: Envelope;
  /** At `rcpt`: the address in question, which is not yet part of the envelope. */
  readonly recipient?: string;
  /** Who signed in on this connection. */
  readonly user?: string;
  /** At `body` and `dot`: the bytes of the message so far. */
  readonly bytes: number;
};

export type Mode = 'implicit' | 'starttls';

export type Envelope = { readonly sender: string; readonly recipients: readonly string[] };

/**
 * What the provider does instead of the usual. A string or bytes are a reply: a string gets its CRLF, several
 * lines are sent as they are, bytes are sent untouched. The first digit decides how the conversation goes on:
 * 2 and 3 count as yes (a 2xx at `dot` commits the message), everything else as no. A 421 ends the connection.
 */
export type Reaction =
  | string
  | Uint8Array
  | { readonly kind: 'drop' | 'reset' | 'stall' }
  | { readonly kind: 'partial'; readonly bytes: Uint8Array }
  | { readonly kind: 'delay'; readonly ms: number; readonly then: Reaction | undefined }
  | { readonly kind: 'accept'; readonly then: Reaction | undefined }
  | ((moment: Moment) => Reaction | undefined | Promise<Reaction | undefined>);

/** The connection is closed without a word. */
export const drop: Reaction = { kind: 'drop' };

/** The connection is reset: the client sees ECONNRESET. */
export const reset: Reaction = { kind: 'reset' };

/** Nothing is ever answered, the connection stays open; in the middle of a body nothing more is read either. */
export const stall: Reaction = { kind: 'stall' };

/** Exactly these bytes, such as `25` or `550 5.7`, and then the end of the connection. */
export const partial = (bytes: string | Uint8Array): Reaction => ({
  kind: 'partial',
  bytes: Buffer.from(bytes),
});

/** Waits, then does `then`, or the usual thing. */
export const delay = (ms: number, then?: Reaction): Reaction => ({ kind: 'delay', ms, then });

/** At `dot`: takes the message, and then does `then` instead of saying so. */
export const acceptThen = (then: Reaction): Reaction => ({ kind: 'accept', then });

/** A closed gate: the conversation stops there until the test opens it. */
export type Gate = {
  readonly reaction: Reaction;
  /** Resolves when the first conversation has come to the gate. */
  readonly reached: Promise<Moment>;
  /** Lets everybody through, to `then` or to the usual thing. */
  open(then?: Reaction): void;
};

export function gate(): Gate {
  const reached = Promise.withResolvers<Moment>();
  const opened = Promise.withResolvers<Reaction | undefined>();
  return {
    reaction: (moment) => {
      reached.resolve(moment);
      return opened.promise;
    },
    reached: reached.promise,
    open: (then) => opened.resolve(then),
  };
}

export type RuleLimits = {
  /** How often it applies; afterwards the next rule for the stage does. */
  readonly times?: number;
  readonly when?: (moment: Moment) => boolean;
  /** Only on the port of this mode. */
  readonly mode?: Mode;
  /** At `body`: how many bytes of the message arrive first (1 by default). */
  readonly after?: number;
};

export type Rule = {
  /** How often it has applied. */
  readonly hits: number;
  remove(): void;
};

export type Script = {
  add(stage: Stage, reaction: Reaction, limits?: RuleLimits): Rule;
  clear(): void;
  /** The first rule, in the order they were added, that applies now; taking it uses one of its times. */
  take(moment: Moment): Reaction | undefined;
};

export function createScript(): Script {
  type Entry = { stage: Stage; reaction: Reaction; limits: RuleLimits; hits: number };
  let entries: Entry[] = [];
  const applies = ({ stage, limits, hits }: Entry, moment: Moment) =>
    stage === moment.stage &&
    hits < (limits.times ?? Number.POSITIVE_INFINITY) &&
    (limits.mode ?? moment.mode) === moment.mode &&
    (stage !== 'body' || moment.bytes >= (limits.after ?? 1)) &&
    (limits.when?.(moment) ?? true);
  return {
    add(stage, reaction, limits = {}) {
      const entry: Entry = { stage, reaction, limits, hits: 0 };
      entries.push(entry);
      return {
        get hits() {
          return entry.hits;
        },
        remove: () => {
          entries = entries.filter((other) => other !== entry);
        },
      };
    },
    clear: () => {
      entries = [];
    },
    take(moment) {
      const entry = entries.find((candidate) => applies(candidate, moment));
      if (entry) entry.hits++;
      return entry?.reaction;
    },
  };
}

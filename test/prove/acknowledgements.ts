// Where the senders and clients of a run write down every yes they were given, and every answer nobody should get.
import type { Acknowledged } from './ledger.ts';

export type Acknowledgements = {
  /** A 250, a 201 or a 202 came. */
  add(recipients: readonly string[], under: string): void;
  /** A mail that brings nothing by which it could be recognised was sent, to the final dot. */
  sentUnrecognisable(recipients: readonly string[]): void;
  /** How often, by recipient. */
  readonly unrecognisable: ReadonlyMap<string, number>;
  /** A cancel was answered 200. */
  cancelled(recipients: readonly string[]): void;
  /** Something was answered that must not be: a 5xx over SMTP to good mail, a 500 over HTTP. */
  complain(about: string): void;
  /** No answer came, or it was "later": somebody asks again. */
  askAgain(why: string): void;
  /** How often, by the reason. */
  readonly askedAgain: ReadonlyMap<string, number>;
  readonly count: number;
  readonly all: readonly Acknowledged[];
  readonly complaints: readonly string[];
};

export function openAcknowledgements(): Acknowledgements {
  const all = new Map<string, Acknowledged>();
  const complaints: string[] = [];
  const askedAgain = new Map<string, number>();
  const unrecognisable = new Map<string, number>();
  let count = 0;
  return {
    add(recipients, under) {
      count++;
      for (const recipient of recipients) all.set(recipient, { recipient, under, cancelled: false });
    },
    sentUnrecognisable(recipients) {
      for (const recipient of recipients) {
        unrecognisable.set(recipient, (unrecognisable.get(recipient) ?? 0) + 1);
      }
    },
    unrecognisable,
    cancelled(recipients) {
      for (const recipient of recipients) {
        const before = all.get(recipient);
        if (before) all.set(recipient, { ...before, cancelled: true });
      }
    },
    complain: (about) => complaints.push(about),
    askAgain: (why) => askedAgain.set(why, (askedAgain.get(why) ?? 0) + 1),
    askedAgain,
    get count() {
      return count;
    },
    get all() {
      return [...all.values()];
    },
    complaints,
  };
}

/** Mail number `number` of the run and its recipients, whose addresses no other mail uses. */
export const recipientsOf = (number: number, count: number): string[] =>
  Array.from({ length: count }, (_, place) => `m${number}-${place}@example.net`);

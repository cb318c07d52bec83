// Handing emails to the relay over SMTP, so many at a time. The relay accepts each email once: whoever lost its answer
// may simply hand over again.
import type { Log } from '../../../deploy/log.ts';
import { msToTransfer, type Parcel, sizeOf } from './parcel.ts';
import type { HandOverResult, SmtpError } from './relay-reply.ts';
import type { RelayAddress, RelaySession } from './relay-session.ts';
import { openRelaySessions } from './relay-sessions.ts';

export type HandOver = AsyncDisposable & {
  /**
   * Hands over one email. Never rejects. `timeoutMs` is how long the caller waits, beside the time that its octets
   * take; a message that is on its way by then still arrives, and the next hand-over of the same email learns of it.
   */
  handOver(parcel: Parcel, options?: { timeoutMs?: number | undefined }): Promise<HandOverResult>;
};

type Turn = {
  hasBegun: boolean;
  session?: RelaySession;
  readonly begin: () => void;
  readonly leave: () => void;
};

// How long one message may take beside its octets, the commit included, when the caller does not say.
const defaultTimeoutMs = 10_000;
// Nobody waits any more, but the reply of a busy relay may still come.
const graceMs = 5_000;
// After a failure one email at a time finds out whether the relay is back; the others are told at once.
const pauseMs = 500;

const stopping = 'this process is stopping';

const away = (why: string): HandOverResult => ({ outcome: 'away', why });

/**
 * Long because its small functions share the sessions and who waits for one.
 *
 * @param sessions how many connections to the relay may be open at once
 */
export function openHandOver({
  sessions: mostAtOnce,
  log,
  ...relay
}: RelayAddress & { readonly sessions: number; readonly log: Log }): HandOver {
  const { host, port } = relay;
  const sessions = openRelaySessions(relay);
  const waiting: Turn[] = [];
  let underWay = 0;
  let isClosing = false;
  let failure: { why: string; until: number } | undefined;

  function handOver(parcel: Parcel, answerMs: number): Promise<HandOverResult> {
    const timeoutMs = answerMs + msToTransfer(sizeOf(parcel.bytes));
    if (isClosing) return Promise.resolve(away(stopping));
    if (failure) {
      if (performance.now() < failure.until) return Promise.resolve(away(failure.why));
      failure.until = performance.now() + pauseMs;
    }

    return new Promise((resolve) => {
      const answer = (result: HandOverResult) => {
        clearTimeout(timer);
        resolve(result);
      };
      const turn: Turn = {
        hasBegun: false,
        begin: () => {
          turn.hasBegun = true;
          void handOverInTurn(parcel, turn).then(answer);
        },
        leave: () => answer(away(failure?.why ?? stopping)),
      };
      const timer = setTimeout(() => {
        const why = `the relay at ${host}:${port} gave no answer within ${timeoutMs} ms`;
        if (turn.hasBegun) {
          failed(why);
          setTimeout(() => turn.session?.drop(new Error(why)), graceMs).unref();
        } else {
          waiting.splice(waiting.indexOf(turn), 1);
        }
        resolve(away(why));
      }, timeoutMs);

      if (underWay < mostAtOnce) {
        underWay++;
        turn.begin();
      } else {
        waiting.push(turn);
      }
    });
  }

  async function handOverInTurn(parcel: Parcel, turn: Turn): Promise<HandOverResult> {
    const began = (session: RelaySession) => {
      turn.session = session;
    };
    const result = await sessions.handOver(parcel, began).catch((error: SmtpError): HandOverResult => {
      const why = `no hand-over to the relay at ${host}:${port}: ${error.message}`;
      // What the message is read from has failed: that says nothing about the relay.
      if (error.code !== 'ESTREAM') failed(why);
      return away(why);
    });
    delete turn.session;
    if (result.outcome !== 'away') failure = undefined;
    if (failure) for (const other of waiting.splice(0)) other.leave();

    const next = waiting.shift();
    if (next) next.begin();
    else underWay--;
    return result;
  }

  function failed(why: string): void {
    if (!failure) log.warn({ event: 'hand-over-failed', host, port, why }, 'The relay does not accept mail');
    failure = { why, until: performance.now() + pauseMs };
  }

  return {
    handOver: (parcel, { timeoutMs = defaultTimeoutMs } = {}) => handOver(parcel, timeoutMs),
    async [Symbol.asyncDispose]() {
      isClosing = true;
      for (const turn of waiting.splice(0)) turn.leave();
      await sessions.close(new Error(stopping));
    },
  };
}

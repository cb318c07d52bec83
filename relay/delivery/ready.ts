// Mail that is claimed and waits for a connection: the most urgent first, then in the order in which it came.
import type { ClaimedMail } from '../policy/claimed-mail.ts';

export type Ready = {
  readonly length: number;
  tokens(): string[];
  priorities(): number[];
  add(mails: readonly ClaimedMail[]): void;
  /** Starts one after the other until `isFull`. @param start false when this one has to wait for a free connection */
  startWhile(isFull: () => boolean, start: (mail: ClaimedMail) => boolean): void;
  /** Takes all of them out. */
  empty(): ClaimedMail[];
};

/** Mails that a full lane keeps waiting are passed for others, but not all of them each time a connection is free. */
const mostPassed = 32;

/** Bodies in memory; beyond that they are read when they are sent. */
const mostBytes = 16 * 1024 * 1024;

export function openReady(): Ready {
  let ready: ClaimedMail[] = [];
  let bytes = 0;
  const sizeOf = ({ content }: ClaimedMail) => content?.length ?? 0;

  function fitting(mail: ClaimedMail): ClaimedMail {
    if (bytes + sizeOf(mail) > mostBytes) return { ...mail, content: null };
    bytes += sizeOf(mail);
    return mail;
  }

  return {
    get length() {
      return ready.length;
    },
    tokens: () => [...new Set(ready.map(({ token }) => token))],
    priorities: () => ready.map(({ priority }) => priority),
    add(mails) {
      ready = [...ready, ...mails.map(fitting)].sort((a, b) => a.priority - b.priority);
    },
    startWhile(isFull, start) {
      const passed: ClaimedMail[] = [];
      let next = 0;
      while (next < ready.length && passed.length < mostPassed && !isFull()) {
        const mail = ready[next++] as ClaimedMail;
        if (start(mail)) bytes -= sizeOf(mail);
        else passed.push(mail);
      }
      if (next > passed.length) ready.splice(0, next, ...passed);
    },
    empty() {
      bytes = 0;
      return ready.splice(0);
    },
  };
}

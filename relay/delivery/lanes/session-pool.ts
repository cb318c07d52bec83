// The open sessions of a lane: in use, or kept for the next mail.
import type { Session } from '../../smtp/session.ts';

export type SessionPool = {
  /** Sessions that exist, used or idle. */
  readonly connections: number;
  /** An idle session that is still open, in use from now on. */
  take(): Session | undefined;
  /** A new session, in use from now on. */
  add(session: Session): void;
  /** Takes a session back after use: kept when it is still open and `isWanted`, closed otherwise. */
  giveBack(session: Session, isWanted: boolean): void;
  /** Closes idle sessions: those unused for `idleMs`, and those beyond `most`. */
  trim(idleMs: number, most: number): void;
  closeIdle(): void;
};

/** Some providers end a session after a number of mails; we end it first, and politely. */
const mailsPerSession = 100;

export function openPool(): SessionPool {
  const idle: { session: Session; since: number }[] = [];
  const inUse = new Set<Session>();
  return {
    get connections() {
      return inUse.size + idle.length;
    },
    take() {
      for (let last = idle.pop(); last; last = idle.pop()) {
        if (last.session.isExpired) last.session.close();
        if (!last.session.isOpen || last.session.isExpired) continue;
        inUse.add(last.session);
        return last.session;
      }
      return undefined;
    },
    add(session) {
      inUse.add(session);
    },
    giveBack(session, isWanted) {
      inUse.delete(session);
      if (!session.isOpen) return;
      if (isWanted && session.transactions < mailsPerSession && !session.isExpired)
        idle.push({ session, since: performance.now() });
      else session.close();
    },
    trim(idleMs, most) {
      const limit = performance.now() - idleMs;
      while (idle[0] && (idle[0].since < limit || idle.length + inUse.size > most)) {
        idle.shift()?.session.close();
      }
    },
    closeIdle() {
      for (const { session } of idle.splice(0)) session.close();
    },
  };
}

// Sessions with the relay that stay open for the next email.
import type { Parcel } from './parcel.ts';
import { type HandOverResult, isHangUp, type SmtpError } from './relay-reply.ts';
import { type RelayAddress, RelaySession } from './relay-session.ts';

export type RelaySessions = {
  /**
   * Hands over on a session that is open, or on a new one. Rejects when nothing was said about this email.
   *
   * @param began told which session it is, and again when it is another one
   */
  handOver(parcel: Parcel, began: (session: RelaySession) => void): Promise<HandOverResult>;
  /** Ends those that are idle, then drops the others with this cause. */
  close(cause: Error): Promise<void>;
};

export function openRelaySessions(relay: RelayAddress): RelaySessions {
  const idle: RelaySession[] = [];
  const open = new Set<RelaySession>();
  let isClosing = false;

  async function connect(): Promise<RelaySession> {
    const session = new RelaySession(relay, forget);
    open.add(session);
    await session.open();
    return session;
  }

  function forget(session: RelaySession): void {
    open.delete(session);
    const index = idle.indexOf(session);
    if (index >= 0) idle.splice(index, 1);
  }

  async function handOverOn(session: RelaySession, parcel: Parcel): Promise<HandOverResult> {
    const result = await session.handOver(parcel);
    session.isUsed = true;
    if (isClosing) session.drop();
    else if (!session.isGone) idle.push(session);
    return result;
  }

  return {
    async handOver(parcel, began) {
      const session = idle.pop() ?? (await connect());
      const wasUsed = session.isUsed;
      began(session);
      try {
        return await handOverOn(session, parcel);
      } catch (error) {
        // The relay closes sessions that were idle for long. That says nothing about the relay as it is now.
        if (!wasUsed || isClosing || !isHangUp(error as SmtpError)) throw error;
        const another = await connect();
        began(another);
        return handOverOn(another, parcel);
      }
    },
    async close(cause) {
      isClosing = true;
      await Promise.all(idle.splice(0).map((session) => session.quit()));
      for (const session of [...open]) session.drop(cause);
    },
  };
}

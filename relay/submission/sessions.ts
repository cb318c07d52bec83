// How many sessions a client may have at once, and which of them may log in without TLS.
import type { SMTPServerSession } from 'smtp-server';
import type { Log } from '../../deploy/log.ts';
import { clearAuthHint, type Networks } from './networks.ts';
import { type Refusal, refuse } from './refusal.ts';

const mostSessionsPerClient = 500;

export type Sessions = {
  /** Counts a session that begins; or why it may not. */
  greet(session: SMTPServerSession): Refusal | undefined;
  /** Counts a session that is over. */
  forget(session: SMTPServerSession): void;
};

/**
 * @param disabled commands that nobody has; a session that may not log in has no AUTH either
 * @param makeRoom ends an idle session of this address; false when there is none
 */
export function openSessions({
  networks,
  disabled,
  makeRoom,
  log,
}: {
  networks: Networks;
  disabled: readonly string[];
  makeRoom: (address: string) => boolean;
  log: Log;
}): Sessions {
  const sessionsOf = new Map<string, number>();
  const counted = new WeakSet<SMTPServerSession>();

  function greet(session: SMTPServerSession): Refusal | undefined {
    const { remoteAddress } = session;
    const sessions = (sessionsOf.get(remoteAddress) ?? 0) + 1;
    sessionsOf.set(remoteAddress, sessions);
    counted.add(session);
    if (sessions > mostSessionsPerClient && !makeRoom(remoteAddress)) {
      return refuse(421, '4.7.0', `Too many sessions from ${remoteAddress}`);
    }
    if (!session.secure && !networks.mayLogInClear(remoteAddress)) {
      session.disabledCommands = [...disabled, 'AUTH'];
      if (networks.hidesClients(remoteAddress)) {
        log.warn({ event: 'clear-auth-not-offered', client: remoteAddress }, clearAuthHint(remoteAddress));
      }
    }
    return undefined;
  }

  function forget(session: SMTPServerSession): void {
    if (!counted.has(session)) return;
    const { remoteAddress } = session;
    const left = (sessionsOf.get(remoteAddress) ?? 1) - 1;
    if (left > 0) sessionsOf.set(remoteAddress, left);
    else sessionsOf.delete(remoteAddress);
  }

  return { greet, forget };
}

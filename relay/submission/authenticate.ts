// AUTH: the login that a client tries, and its answer.
import type { SMTPServerAuthentication, SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import type { Logins } from './logins.ts';
import { asReplyError, refuse } from './refusal.ts';

export type Authentication = {
  readonly authenticate: NonNullable<SMTPServerOptions['onAuth']>;
  /** The name that this session tried last, right or wrong. */
  readonly triedName: (session: SMTPServerSession) => string | undefined;
};

export function openAuthentication(logins: Logins): Authentication {
  const triedNames = new WeakMap<SMTPServerSession, string>();

  function authenticate(
    { username = '', password }: SMTPServerAuthentication,
    session: SMTPServerSession,
    callback: Parameters<NonNullable<SMTPServerOptions['onAuth']>>[2],
  ): void {
    const address = session.remoteAddress;
    triedNames.set(session, username);
    logins.judge({ session, address, name: username, password: password ?? '' }).then((login) => {
      if (login.outcome === 'passed') return callback(null, { user: username });
      if (login.outcome === 'failed') {
        return callback(asReplyError(refuse(535, '5.7.8', 'Authentication credentials invalid')));
      }
      const { seconds } = login;
      callback(asReplyError(refuse(454, '4.7.0', `Too many failed logins, try again in ${seconds} s`)));
    }, callback);
  }

  return { authenticate, triedName: (session) => triedNames.get(session) };
}

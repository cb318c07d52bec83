// AUTH: the login that a client tries, and its answer.
import type { SMTPServerAuthentication, SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import { endingOf, isSecret } from '../client/keys/secret.ts';
import type { LoginOutcome, Logins } from './logins.ts';
import { asReplyError, type Refusal, refuse } from './refusal.ts';

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
    // A key that was typed as the name belongs into no log and no list.
    triedNames.set(session, isSecret(username) ? `postern_...${endingOf(username)}` : username);
    logins.judge({ session, address, name: username, password: password ?? '' }).then((login) => {
      if (login.outcome === 'passed') callback(null, { user: login.credential });
      else callback(asReplyError(refusalOf(login)));
    }, callback);
  }

  return { authenticate, triedName: (session) => triedNames.get(session) };
}

function refusalOf(login: Exclude<LoginOutcome, { outcome: 'passed' }>): Refusal {
  switch (login.outcome) {
    case 'failed':
      return refuse(535, '5.7.8', login.why ?? 'Authentication credentials invalid');
    case 'unknown':
      return refuse(454, '4.3.0', 'API keys cannot be checked right now, try again later');
    case 'wait':
      return refuse(454, '4.7.0', `Too many failed logins, try again in ${login.seconds} s`);
  }
}

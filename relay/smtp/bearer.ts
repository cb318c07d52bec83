// Signing in with an access token: XOAUTH2 as Google and Microsoft define it, and OAUTHBEARER (RFC 7628). Pure.

export type BearerMechanism = 'XOAUTH2' | 'OAUTHBEARER';

export type Bearer = {
  readonly user: string;
  readonly token: string;
  readonly host: string;
  readonly port: number;
};

/** Microsoft knows only the first, most others both or only the second. */
const mechanisms = ['XOAUTH2', 'OAUTHBEARER'] as const;

/** Which one to use of those that the server offers. */
export function bearerMechanismOf(offered: readonly string[]): BearerMechanism | undefined {
  const known = offered.map((each) => each.toUpperCase());
  return mechanisms.find((mechanism) => known.includes(mechanism));
}

/** Why an access token is of no use here. */
export function noBearerMechanism(offered: readonly string[]): Error {
  return new Error(
    `No supported mechanism: the server offers AUTH ${offered.join(' ')} only, and a token needs ${mechanisms.join(' or ')}`,
  );
}

/** The whole command, with the initial response of RFC 4954 §4. */
export function bearerCommand(mechanism: BearerMechanism, { user, token, host, port }: Bearer): string {
  const response =
    mechanism === 'XOAUTH2'
      ? `user=${user}\x01auth=Bearer ${token}\x01\x01`
      : `n,a=${escaped(user)},\x01host=${host}\x01port=${port}\x01auth=Bearer ${token}\x01\x01`;
  return `AUTH ${mechanism} ${Buffer.from(response).toString('base64')}`;
}

/** RFC 5801 §4: a comma or an equals sign would end the name. */
const escaped = (user: string) => user.replaceAll('=', '=3D').replaceAll(',', '=2C');

/**
 * What a client says to the 334 that holds the server's reason; only then comes the refusal. OAUTHBEARER: one ^A
 * (RFC 7628 §3.2.3); XOAUTH2: an empty line.
 */
export const afterReason: Readonly<Record<BearerMechanism, string>> = { XOAUTH2: '', OAUTHBEARER: 'AQ==' };

/**
 * The status in the server's reason, a JSON object in base64. The scope beside it is only what the server would like,
 * and says nothing about the token.
 */
export function reasonIn(challenge: string): string {
  try {
    const { status } = JSON.parse(Buffer.from(challenge.trim(), 'base64').toString('utf8'));
    if (/^[\w-]{1,40}$/.test(String(status))) return `its reason: status ${status}`;
  } catch {
    // Some send something else, or nothing.
  }
  return 'without a reason that can be read';
}

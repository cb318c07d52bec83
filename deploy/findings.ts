// What can be wrong with a variable before any packet is sent: named, described without revealing it, with the fix.

export type FindingCause =
  | 'env-missing'
  | 'env-blank'
  | 'env-quoted'
  | 'env-trailing-char'
  | 'env-newline'
  | 'env-interpolated'
  | 'env-escaped'
  | 'env-invisible'
  | 'env-leftover'
  | 'env-comment-truncation'
  | 'env-url-encoding'
  | 'env-placeholder'
  | 'env-alias-conflict'
  | 'env-two-sources'
  | 'env-file-unreadable'
  | 'env-base64-garbage'
  | 'env-port-garbage'
  | 'env-scheme-in-host'
  | 'env-host-garbage'
  | 'env-value-garbage'
  | 'env-localhost'
  | 'env-loop'
  | 'wrong-service-host'
  | 'local-name'
  | 'env-tls-contradiction'
  | 'env-failover-contradiction'
  | 'env-oauth2-contradiction'
  | 'env-cleartext-password'
  | 'env-guessable-secret'
  | 'env-open-network'
  | 'env-tls-unchecked'
  | 'env-database-pooler'
  | 'env-database-tls'
  | 'env-from-mismatch';

export type Finding = {
  /** The name it was set under, which may be an alias or end in `_FILE` or `_BASE64`. */
  variable: string;
  /** A warning changes nothing: the value is used as it is. */
  severity: 'problem' | 'warning';
  problem: string;
  /** Length, first and last character class, fingerprint of a secret; never the value. */
  shape: string;
  fix: string;
  cause: FindingCause;
};

/** The environment does not let this process start. Carries all problems at once; the message lists them, one a line. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly problems: readonly Finding[];

  constructor(problems: readonly Finding[]) {
    super(['These environment variables have to be changed:', ...problems.map(describeFinding)].join('\n  '));
    this.problems = problems;
  }
}

/** One line for people: `API_PORT is not a number (4 characters, …). Type digits only.` */
function describeFinding({ variable, problem, shape, fix }: Finding): string {
  return `${variable} ${problem} (${shape}). ${fix}`;
}

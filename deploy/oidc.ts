// Sign-in to the dashboard by OpenID Connect, as the api's variables have it.
import type { RoleMapping } from './parse.ts';
import type { Reading } from './reading.ts';
import type { VariableName } from './variables.ts';

export type OidcSettings = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: string;
  readonly roleClaim: string;
  readonly roles: readonly RoleMapping[];
  /** Undefined: whoever has no other role is refused. */
  readonly defaultRole: RoleMapping['role'] | undefined;
};

const onlyWithIssuer: readonly VariableName[] = ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_ROLES'];

/** Undefined when it is off; what is missing or contradicts is a problem among the findings. */
export function readOidc(reading: Reading): OidcSettings | undefined {
  const roles = reading.optional('OIDC_ROLES') ?? [];
  const role = reading.optional('OIDC_DEFAULT_ROLE') ?? 'none';
  const scopes = reading.required('OIDC_SCOPES');
  const roleClaim = reading.required('OIDC_ROLE_CLAIM');
  if (reading.isMissing('OIDC_ISSUER')) {
    for (const name of onlyWithIssuer.filter((each) => !reading.isMissing(each)))
      contradiction(reading, name, 'is set without OIDC_ISSUER', 'Set OIDC_ISSUER too, or remove it.');
    return undefined;
  }
  const issuer = reading.required('OIDC_ISSUER');
  const clientId = reading.required('OIDC_CLIENT_ID');
  const clientSecret = reading.required('OIDC_CLIENT_SECRET');
  if (reading.isMissing('ADMIN_PASSWORD'))
    contradiction(
      reading,
      'ADMIN_PASSWORD',
      'is missing, and OIDC_ISSUER is set',
      'Set it: without it the dashboard is off, and it is the way in when the identity provider is away.',
    );
  if (role === 'none' && reading.isMissing('OIDC_ROLES'))
    contradiction(
      reading,
      'OIDC_ROLES',
      'is missing, so nobody could sign in by OIDC_ISSUER',
      'Set OIDC_ROLES, such as admin=postern-admins, or OIDC_DEFAULT_ROLE.',
    );
  if (scopes !== undefined && !scopes.split(' ').includes('openid'))
    contradiction(reading, 'OIDC_SCOPES', 'lacks openid', 'Begin it with openid.');
  return {
    ...{ issuer, clientId, clientSecret, scopes, roleClaim, roles },
    defaultRole: role === 'none' ? undefined : role,
  };
}

function contradiction(reading: Reading, name: VariableName, problem: string, fix: string): void {
  reading.add(name, { severity: 'problem', problem, fix, cause: 'env-value-garbage' });
}

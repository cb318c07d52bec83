// The variables of sign-in by OpenID Connect: together or not at all.
import { expect, test } from 'vitest';
import { type EnvironmentError, readApiEnvironment } from '../../deploy/environment.ts';

const api = {
  DATABASE_URL: 'postgres://postern_api:secret@db.example.com/postern',
  API_KEY: 'invented-for-this-test',
  RELAY_PASSWORD: 'invented-for-this-test',
  PUBLIC_URL: 'https://mail.example.com',
  ADMIN_PASSWORD: 'invented-for-this-test',
};
const whole = {
  ...api,
  OIDC_ISSUER: 'https://id.example.com/realms/ops',
  OIDC_CLIENT_ID: 'postern',
  OIDC_CLIENT_SECRET: 'invented',
  OIDC_ROLES: 'admin=postern-admins, operate=a=b,view=*@example.com',
};

function problemsOf(source: Record<string, string | undefined>): string[] {
  try {
    readApiEnvironment(source);
    return [];
  } catch (error) {
    return (error as EnvironmentError).problems.map(({ variable, problem }) => `${variable} ${problem}`);
  }
}

test('all of them are read, with their defaults', () => {
  expect(readApiEnvironment(whole).oidc).toEqual({
    issuer: 'https://id.example.com/realms/ops',
    clientId: 'postern',
    clientSecret: 'invented',
    scopes: 'openid profile email',
    roleClaim: 'groups',
    roles: [
      { role: 'admin', value: 'postern-admins' },
      { role: 'operate', value: 'a=b' },
      { role: 'view', value: '*@example.com' },
    ],
    defaultRole: undefined,
  });
  expect(readApiEnvironment(api)).not.toHaveProperty('oidc');
  const blank = { OIDC_ISSUER: '', OIDC_CLIENT_ID: '', OIDC_CLIENT_SECRET: '', OIDC_ROLES: '' };
  expect(readApiEnvironment({ ...api, ...blank })).not.toHaveProperty('oidc');
});

test.each<[Record<string, string | undefined>, string[]]>([
  [{ OIDC_ISSUER: 'http://id.example.com' }, ['OIDC_ISSUER is not a web address']],
  [
    { OIDC_CLIENT_ID: undefined, OIDC_CLIENT_SECRET: '' },
    ['OIDC_CLIENT_ID is missing', 'OIDC_CLIENT_SECRET is set but blank'],
  ],
  [
    { OIDC_ISSUER: undefined },
    [
      'OIDC_CLIENT_ID is set without OIDC_ISSUER',
      'OIDC_CLIENT_SECRET is set without OIDC_ISSUER',
      'OIDC_ROLES is set without OIDC_ISSUER',
    ],
  ],
  [{ ADMIN_PASSWORD: undefined }, ['ADMIN_PASSWORD is missing, and OIDC_ISSUER is set']],
  [{ OIDC_ROLES: undefined }, ['OIDC_ROLES is missing, so nobody could sign in by OIDC_ISSUER']],
  [{ OIDC_ROLES: undefined, OIDC_DEFAULT_ROLE: 'view' }, []],
  [{ OIDC_ROLES: 'root=admins' }, ['OIDC_ROLES has "root=admins", which is not ROLE=VALUE']],
  [{ OIDC_SCOPES: 'profile' }, ['OIDC_SCOPES lacks openid']],
])('%o', (change, problems) => {
  expect(problemsOf({ ...whole, ...change })).toEqual(problems.map((each) => expect.stringContaining(each)));
});

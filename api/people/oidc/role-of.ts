// Which role somebody has by what the identity provider says.
import type { OidcSettings } from '../../../deploy/oidc.ts';
import { type Role, roles } from '../role.ts';
import type { Claims } from './provider.ts';

/** The highest of those that apply; undefined for whoever may not sign in. */
export function roleOf(
  claims: Claims,
  { roleClaim, roles: mapped, defaultRole }: OidcSettings,
): Role | undefined {
  const values = valuesOf(claims, roleClaim);
  const given = mapped.filter(({ value }) => values.includes(value)).map(({ role }) => role);
  if (defaultRole !== undefined) given.push(defaultRole);
  return roles.findLast((role) => given.includes(role));
}

/** Of a list or of one value; `realm_access.roles` is also a member in a member. */
export function valuesOf(claims: Claims, name: string): string[] {
  // Anybody can type any address at some providers.
  if (name === 'email' && claims.email_verified !== true) return [];
  const value = name in claims ? claims[name] : memberAt(claims, name.split('.'));
  return [value].flat().filter((each) => typeof each === 'string');
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

/** What the dashboard calls somebody. */
export function nameOf({ preferred_username: username, email, name, sub }: Claims): string {
  const given = [username, email, name].find((each) => typeof each === 'string' && each.trim() !== '');
  return String(given ?? sub)
    .replaceAll(/\p{C}/gu, ' ')
    .trim()
    .slice(0, 100);
}

// Who is named in the audit list.
import type { Principal } from '../authenticate.ts';
import type { Person } from '../people/role.ts';

export const actorKinds = ['person', 'admin', 'key', 'bootstrap', 'nobody'] as const;

/**
 * `admin`: whoever knows ADMIN_PASSWORD; `bootstrap`: API_KEY; `nobody`: whoever was not let in. People and keys have
 * their ids.
 */
export type Actor = { readonly kind: (typeof actorKinds)[number]; readonly id: string | null };

export const namedPerson = ({ id }: Person): Actor =>
  id === null ? { kind: 'admin', id } : { kind: 'person', id };

export function namedPrincipal({ person, apiKeyId }: Principal): Actor {
  if (person) return namedPerson(person);
  return apiKeyId === undefined ? { kind: 'bootstrap', id: null } : { kind: 'key', id: apiKeyId };
}

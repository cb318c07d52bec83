// PATCH /api/v1/people/{id}: another role, or whether the user may sign in. Open sessions end at once.
import { z } from 'zod';
import { invalidFields } from '../faults.ts';
import { changes, type Operation } from '../operation.ts';
import { noSuchPerson, personPath, personView, role, toPersonView } from './person.ts';
import { endSessionsOf, findPersonToChange, updatePersonRow } from './store.ts';

export function updatePerson(): Operation {
  return changes({
    id: 'updatePerson',
    method: 'patch',
    path: '/api/v1/people/{id}',
    tag: 'People',
    summary: 'Change the role of a user, disable or enable the user',
    description:
      'The sessions of the user end at once on all replicas, also open pages, when the role changes or the user is ' +
      'disabled. Users are never deleted, so that the audit list can name them. The role of a user who signs in by ' +
      'OpenID Connect comes from OIDC_ROLES.',
    scope: 'admin',
    params: personPath,
    body: z
      .strictObject({ role: role.optional(), disabled: z.boolean().optional() })
      .meta({ id: 'PersonChange' }),
    bodyExample: { role: 'view' },
    answers: { 200: { description: 'The user as it is now.', schema: personView } },
    async handle({ path, body }, tx) {
      const person = await findPersonToChange(tx, path.id);
      if (!person) throw noSuchPerson(path.id);
      const next = {
        role: body.role ?? person.role,
        isDisabled: body.disabled ?? person.disabledAt !== null,
      };
      if (person.issuer !== null && next.role !== person.role) {
        const detail = 'comes from OIDC_ROLES for this user; change it at the identity provider';
        throw invalidFields([{ in: 'body', pointer: '#/role', detail }]);
      }
      const row = await updatePersonRow(tx, path.id, next);
      if (next.isDisabled || next.role !== person.role) await endSessionsOf(tx, path.id);
      return { status: 200, body: toPersonView(row) };
    },
  });
}

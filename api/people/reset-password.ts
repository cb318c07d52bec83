// POST /api/v1/people/{id}/reset-password: a new initial password, shown once.
import { z } from 'zod';
import { invalidFields } from '../faults.ts';
import { changes, type Operation } from '../operation.ts';
import { hashPassword, inventPassword } from './password.ts';
import { noSuchPerson, personPath, personShape, toPersonView } from './person.ts';
import { endSessionsOf, findPersonToChange, storePassword } from './store.ts';

export function resetPassword(): Operation {
  return changes({
    id: 'resetPassword',
    method: 'post',
    path: '/api/v1/people/{id}/reset-password',
    tag: 'People',
    summary: 'Make a new initial password for a user',
    description: 'The old password and the sessions of the user end at once.',
    scope: 'admin',
    idempotency: 'secret',
    params: personPath,
    answers: {
      200: {
        description: 'Pass `password` on: it is not shown again.',
        schema: z.strictObject({ ...personShape, password: z.string() }),
      },
    },
    problems: ['invalid-fields'],
    async handle({ path }, tx) {
      const person = await findPersonToChange(tx, path.id);
      if (!person) throw noSuchPerson(path.id);
      if (person.issuer !== null) {
        const detail = 'is of a user who signs in by OpenID Connect and has no password here';
        throw invalidFields([{ in: 'path', pointer: '#/id', detail }]);
      }
      const password = inventPassword();
      const hashed = await hashPassword(password);
      const row = await storePassword(tx, path.id, { ...hashed, isInitial: true });
      await endSessionsOf(tx, path.id);
      return { status: 200, body: { ...toPersonView(row), password } };
    },
  });
}

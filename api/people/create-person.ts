// POST /api/v1/people: a user with a password that is shown once.
import { z } from 'zod';
import { invalidFields } from '../faults.ts';
import { changes, type Operation } from '../operation.ts';
import { hashPassword, inventPassword } from './password.ts';
import { personName, personShape, role, toPersonView } from './person.ts';
import { insertPerson } from './store.ts';

export function createPerson(): Operation {
  return changes({
    id: 'createPerson',
    method: 'post',
    path: '/api/v1/people',
    tag: 'People',
    summary: 'Create a user of the dashboard',
    description:
      'Only this answer holds the initial password; Postern stores its scrypt hash. The user signs in with name and ' +
      'password, and is asked to choose another one.',
    scope: 'admin',
    idempotency: 'secret',
    body: z.strictObject({ name: personName, role }).meta({ id: 'PersonDraft' }),
    bodyExample: { name: 'maria', role: 'operate' },
    answers: {
      201: {
        description: 'Created. Pass `password` on: it is not shown again.',
        schema: z.strictObject({ ...personShape, password: z.string() }),
      },
    },
    async handle({ body }, tx) {
      const password = inventPassword();
      const row = await insertPerson(tx, { ...body, password: await hashPassword(password) });
      if (!row)
        throw invalidFields([{ in: 'body', pointer: '#/name', detail: 'is the name of another user' }]);
      return { status: 201, body: { ...toPersonView(row), password } };
    },
  });
}

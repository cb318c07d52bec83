// The operations on the users of the dashboard, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import { createPerson } from './create-person.ts';
import { listPeople } from './list-people.ts';
import { resetPassword } from './reset-password.ts';
import { updatePerson } from './update-person.ts';

export const peopleOperations = (given: { database: Database }): Operation[] => [
  createPerson(),
  listPeople(given),
  updatePerson(),
  resetPassword(),
];

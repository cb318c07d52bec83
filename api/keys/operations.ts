// The operations on API keys, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import { createKey } from './create-key.ts';
import { listKeys } from './list-keys.ts';
import { revokeKey } from './revoke-key.ts';

export const keyOperations = (given: { database: Database }): Operation[] => [
  createKey(),
  listKeys(given),
  revokeKey(),
];

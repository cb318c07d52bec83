// The operations on API keys, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import type { Sending } from '../sending.ts';
import { createKey } from './create-key.ts';
import { listKeys } from './list-keys.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';
import { updateKey } from './update-key.ts';

export const keyOperations = (given: { database: Database; sending: Sending }): Operation[] => [
  createKey(given),
  listKeys(given),
  updateKey(given),
  rotateKey(given),
  revokeKey(given),
];

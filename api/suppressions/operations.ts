// The operations on the suppression list, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import { addSuppression } from './add-suppression.ts';
import { exportSuppressions } from './csv/export-suppressions.ts';
import { importSuppressions } from './csv/import-suppressions.ts';
import { getSuppression } from './get-suppression.ts';
import { listSuppressions } from './list-suppressions.ts';
import { removeSuppression } from './remove-suppression.ts';

export const suppressionOperations = (given: { database: Database }): Operation[] => [
  importSuppressions(),
  exportSuppressions(given),
  addSuppression(),
  listSuppressions(given),
  getSuppression(given),
  removeSuppression(),
];

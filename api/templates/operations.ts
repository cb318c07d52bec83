// The operations on templates, the same for each kind, in the order of the description.
import type { Database } from '../../deploy/database.ts';
import type { Operation } from '../operation.ts';
import { deleteTemplate } from './delete-template.ts';
import { getTemplate } from './get-template.ts';
import { previewTemplate } from './preview-template.ts';
import { putTemplate } from './put-template.ts';
import { declareTemplate } from './template.ts';

const kinds = ['invitation', 'rejection'] as const;

export const templateOperations = ({ database }: { database: Database }): Operation[] =>
  kinds
    .map(declareTemplate)
    .flatMap((template) => [
      getTemplate(template, database),
      putTemplate(template),
      deleteTemplate(template),
      previewTemplate(template),
    ]);

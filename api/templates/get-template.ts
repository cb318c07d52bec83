// GET /api/v1/templates/…: the words in force.
import type { Database } from '../../deploy/database.ts';
import { type Operation, reads } from '../operation.ts';
import { type DeclaredTemplate, templateView, viewTemplate } from './template.ts';

export function getTemplate(template: DeclaredTemplate, database: Database): Operation {
  return reads({
    id: `get${template.name}Template`,
    method: 'get',
    path: template.path,
    tag: 'Templates',
    summary: `Read the template of the ${template.kind}`,
    scope: 'admin',
    answers: { 200: { description: 'The current template.', schema: templateView } },
    async handle() {
      return { status: 200, body: await viewTemplate(database, template.kind) };
    },
  });
}

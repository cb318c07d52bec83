// DELETE /api/v1/templates/…: our words again.
import { changes, type Operation } from '../operation.ts';
import { deleteTemplateRow } from './store.ts';
import type { DeclaredTemplate } from './template.ts';

export function deleteTemplate(template: DeclaredTemplate): Operation {
  return changes({
    id: `delete${template.name}Template`,
    method: 'delete',
    path: template.path,
    tag: 'Templates',
    summary: `Reset the template of the ${template.kind}`,
    scope: 'admin',
    answers: { 204: { description: 'The standard template is used.' } },
    async handle(_, tx) {
      await deleteTemplateRow(tx, template.kind);
      return { status: 204 };
    },
  });
}

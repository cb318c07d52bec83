// PUT /api/v1/templates/…: the administrator's words.
import { changes, type Operation } from '../operation.ts';
import { saveTemplate } from './store.ts';
import { type DeclaredTemplate, templateView, viewTemplate } from './template.ts';

export function putTemplate(template: DeclaredTemplate): Operation {
  return changes({
    id: `put${template.name}Template`,
    method: 'put',
    path: template.path,
    tag: 'Templates',
    summary: `Change the template of the ${template.kind}`,
    description: 'Applies to emails that are created from now on. Values are escaped in the HTML.',
    scope: 'admin',
    bodyLimit: 1024 * 1024,
    body: template.body,
    bodyExample: template.bodyExample,
    answers: { 200: { description: 'The current template.', schema: templateView } },
    async handle({ body: words }, tx) {
      await saveTemplate(tx, template.kind, words);
      return { status: 200, body: await viewTemplate(tx, template.kind) };
    },
  });
}

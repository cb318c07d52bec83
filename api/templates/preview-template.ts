// POST /api/v1/templates/…/preview: how an email would read, without storing anything.
import { type Operation, reads } from '../operation.ts';
import { placeholders, render } from './render.ts';
import { type DeclaredTemplate, renderedTemplate } from './template.ts';

export function previewTemplate(template: DeclaredTemplate): Operation {
  return reads({
    id: `preview${template.name}Template`,
    method: 'post',
    path: `${template.path}/preview`,
    tag: 'Templates',
    summary: `Preview the ${template.kind} with example values, without storing it`,
    scope: 'admin',
    bodyLimit: 1024 * 1024,
    body: template.body,
    bodyExample: template.bodyExample,
    answers: { 200: { description: 'The email as a recipient would see it.', schema: renderedTemplate } },
    async handle({ body: words }) {
      return { status: 200, body: render(words, placeholders[template.kind]) };
    },
  });
}

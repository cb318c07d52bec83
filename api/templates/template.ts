// A template as the API shows it, and what the operations on both kinds declare alike.
import { z } from 'zod';
import type { Queryable } from '../../deploy/database.ts';
import { placeholders, standardTemplates, type TemplateKind, templateSchema } from './render.ts';
import { findTemplate } from './store.ts';

export const templateView = z
  .strictObject({
    kind: z.enum(['invitation', 'rejection']),
    subject: z.string(),
    text: z.string(),
    html: z.string(),
    customised: z.boolean(),
    placeholders: z.array(z.string()),
  })
  .meta({ id: 'Template' });

export const renderedTemplate = z
  .strictObject({ subject: z.string(), text: z.string(), html: z.string() })
  .meta({ id: 'RenderedTemplate' });

export async function viewTemplate(q: Queryable, kind: TemplateKind): Promise<z.output<typeof templateView>> {
  const own = await findTemplate(q, kind);
  const { subject, text, html } = own ?? standardTemplates[kind];
  return {
    kind,
    subject,
    text,
    html,
    customised: own !== undefined,
    placeholders: Object.keys(placeholders[kind]),
  };
}

export type DeclaredTemplate = ReturnType<typeof declareTemplate>;

export function declareTemplate(kind: TemplateKind) {
  const { subject, text, html } = standardTemplates[kind];
  return {
    kind,
    /** As in the ids of the operations. */
    name: kind === 'invitation' ? 'Invitation' : 'Rejection',
    path: `/api/v1/templates/${kind}`,
    body: templateSchema(kind).meta({ id: `${kind === 'invitation' ? 'Invitation' : 'Rejection'}Template` }),
    bodyExample: { subject, text, html },
  };
}

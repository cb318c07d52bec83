// The words of invitation and rejection, as an administrator wants them.
import { z } from 'zod';
import type { Database, Queryable } from '../../deploy/database.ts';
import { changes, type Operation, reads } from '../operation.ts';
import {
  placeholders,
  render,
  standardTemplates,
  type Template,
  type TemplateKind,
  templateSchema,
} from './render.ts';

const tag = 'Templates';

const templateView = z
  .strictObject({
    kind: z.enum(['invitation', 'rejection']),
    subject: z.string(),
    text: z.string(),
    html: z.string(),
    customised: z.boolean(),
    placeholders: z.array(z.string()),
  })
  .meta({ id: 'Template' });

const rendered = z
  .strictObject({ subject: z.string(), text: z.string(), html: z.string() })
  .meta({ id: 'RenderedTemplate' });

/** The template in force: the administrator's, or ours. */
export async function readTemplate(q: Queryable, kind: TemplateKind): Promise<Template> {
  return (await findTemplate(q, kind)) ?? standardTemplates[kind];
}

async function findTemplate(q: Queryable, kind: TemplateKind): Promise<Template | undefined> {
  const { rows } = await q.query<Template>('select subject, text, html from template where kind = $1', [
    kind,
  ]);
  return rows[0];
}

async function viewTemplate(q: Queryable, kind: TemplateKind): Promise<z.output<typeof templateView>> {
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

export function templateOperations({ database }: { database: Database }): Operation[] {
  return (['invitation', 'rejection'] as const).flatMap((kind) => operationsOf(kind, database));
}

function operationsOf(kind: TemplateKind, database: Database): Operation[] {
  const Kind = kind === 'invitation' ? 'Invitation' : 'Rejection';
  const path = `/api/v1/templates/${kind}`;
  const body = templateSchema(kind).meta({ id: `${Kind}Template` });
  const { subject, text, html } = standardTemplates[kind];
  return [
    reads({
      id: `get${Kind}Template`,
      method: 'get',
      path,
      tag,
      summary: `Read the words of the ${kind}`,
      scope: 'admin',
      answers: { 200: { description: 'The template in force.', schema: templateView } },
      async handle() {
        return { status: 200, body: await viewTemplate(database, kind) };
      },
    }),
    changes({
      id: `put${Kind}Template`,
      method: 'put',
      path,
      tag,
      summary: `Change the words of the ${kind}`,
      description: 'Counts for mail that is created from now on. Values are escaped in the HTML.',
      scope: 'admin',
      bodyLimit: 1024 * 1024,
      body,
      bodyExample: { subject, text, html },
      answers: { 200: { description: 'The template in force.', schema: templateView } },
      async handle({ body: words }, tx) {
        await tx.query(
          `insert into template (kind, subject, text, html) values ($1, $2, $3, $4)
           on conflict (kind) do update
           set subject = excluded.subject, text = excluded.text, html = excluded.html, updated_at = now()`,
          [kind, words.subject, words.text, words.html],
        );
        return { status: 200, body: await viewTemplate(tx, kind) };
      },
    }),
    changes({
      id: `delete${Kind}Template`,
      method: 'delete',
      path,
      tag,
      summary: `Return to our words of the ${kind}`,
      scope: 'admin',
      answers: { 204: { description: 'The standard template is in force.' } },
      async handle(_, tx) {
        await tx.query('delete from template where kind = $1', [kind]);
        return { status: 204 };
      },
    }),
    reads({
      id: `preview${Kind}Template`,
      method: 'post',
      path: `${path}/preview`,
      tag,
      summary: `See the ${kind} with example values, without storing anything`,
      scope: 'admin',
      bodyLimit: 1024 * 1024,
      body,
      bodyExample: { subject, text, html },
      answers: { 200: { description: 'What a recipient would read.', schema: rendered } },
      async handle({ body: words }) {
        return { status: 200, body: render(words, placeholders[kind]) };
      },
    }),
  ];
}

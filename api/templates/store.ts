// The administrator's templates in the database.
import type { Queryable } from '../../deploy/database.ts';
import { standardTemplates, type Template, type TemplateKind } from './render.ts';

/** The template in force: the administrator's, or ours. */
export async function readTemplate(q: Queryable, kind: TemplateKind): Promise<Template> {
  return (await findTemplate(q, kind)) ?? standardTemplates[kind];
}

/** The administrator's, if there is one. */
export async function findTemplate(q: Queryable, kind: TemplateKind): Promise<Template | undefined> {
  const { rows } = await q.query<Template>('select subject, text, html from template where kind = $1', [
    kind,
  ]);
  return rows[0];
}

export async function saveTemplate(tx: Queryable, kind: TemplateKind, template: Template): Promise<void> {
  await tx.query(
    `insert into template (kind, subject, text, html) values ($1, $2, $3, $4)
     on conflict (kind) do update
     set subject = excluded.subject, text = excluded.text, html = excluded.html, updated_at = now()`,
    [kind, template.subject, template.text, template.html],
  );
}

export async function deleteTemplateRow(tx: Queryable, kind: TemplateKind): Promise<void> {
  await tx.query('delete from template where kind = $1', [kind]);
}

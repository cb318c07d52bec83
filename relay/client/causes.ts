// What a cause means, in words for a person. The relay decides causes and knows the words; every other process
// shows them, and reads them here.
import type { Queryable } from '../../deploy/database.ts';

export type CauseWords = {
  readonly title: string;
  readonly meaning: string;
  readonly fix: string;
};

/** The words for these slugs; one that the relay has no words for is left out. */
export async function readCauses(
  q: Queryable,
  slugs: readonly string[],
): Promise<Readonly<Record<string, CauseWords>>> {
  if (slugs.length === 0) return {};
  const { rows } = await q.query<CauseWords & { slug: string }>({
    name: 'read-causes',
    text: 'select slug, title, meaning, fix from cause where slug = any($1)',
    values: [[...new Set(slugs)]],
  });
  return Object.fromEntries(rows.map(({ slug, ...words }) => [slug, words]));
}

/** All that is written down, in the order of their slugs. */
export async function listCauses(q: Queryable): Promise<readonly ({ readonly slug: string } & CauseWords)[]> {
  const { rows } = await q.query<{ slug: string } & CauseWords>(
    'select slug, title, meaning, fix from cause order by slug',
  );
  return rows;
}

/** Writes the words down where others find them; what is there already and still the same is left alone. */
export async function writeCauses(q: Queryable, causes: Readonly<Record<string, CauseWords>>): Promise<void> {
  await q.query(
    `insert into cause as known (slug, title, meaning, fix)
     select * from jsonb_to_recordset($1) as given (slug text, title text, meaning text, fix text)
     order by slug
     on conflict (slug) do update set title = excluded.title, meaning = excluded.meaning, fix = excluded.fix
     where (known.title, known.meaning, known.fix) is distinct from (excluded.title, excluded.meaning, excluded.fix)`,
    [JSON.stringify(Object.entries(causes).map(([slug, words]) => ({ slug, ...words })))],
  );
}

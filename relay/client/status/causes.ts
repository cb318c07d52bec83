// What a cause means, in words for a person. The relay decides causes and knows the words; every other process
// shows them, and reads them here.
import type { Queryable } from '../../../deploy/database.ts';
import { type CauseWords, ownCauses } from './own-causes.ts';

/**
 * The words for these slugs as the relay wrote them down, and for Postern's own decisions also when no relay has started
 * yet. A slug that nobody has words for is left out.
 *
 * @param named what rows and reports name; what is missing or no text is passed over
 */
export async function readCauses(
  q: Queryable,
  named: readonly unknown[],
): Promise<Readonly<Record<string, CauseWords>>> {
  const slugs = [...new Set(named.filter((slug) => typeof slug === 'string'))];
  if (slugs.length === 0) return {};
  const { rows } = await q.query<CauseWords & { slug: string }>({
    name: 'read-causes',
    text: 'select slug, title, meaning, fix from cause where slug = any($1)',
    values: [slugs],
  });
  const own = Object.entries<CauseWords>(ownCauses).filter(([slug]) => slugs.includes(slug));
  return Object.fromEntries([...own, ...rows.map(({ slug, ...words }) => [slug, words] as const)]);
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

// Replaces a person's address wherever it stands, in the columns that a list of tables names.
import type { Queryable } from '../../../deploy/database.ts';
import { erasedAddress, type Person } from './person.ts';
import type { PersonalTable } from './personal.ts';

const pageSize = 2_000;

type Paged = Pick<PersonalTable, 'key' | 'keyType'>;

/** A table in pages along its key, as `(after, last]`: no statement looks at more than a page, however much there is. */
export async function* pagesOf(
  tx: Queryable,
  table: string,
  { key, keyType = 'text' }: Paged,
  size = pageSize,
): AsyncGenerator<{ after: string | null; last: string }> {
  let after: string | null = null;
  for (;;) {
    const last: string | undefined = await lastOfPage(tx, table, { key, keyType }, { after, size });
    if (last === undefined) return;
    yield { after, last };
    after = last;
  }
}

async function lastOfPage(
  tx: Queryable,
  table: string,
  { key, keyType }: Paged,
  { after, size }: { after: string | null; size: number },
): Promise<string | undefined> {
  const { rows } = await tx.query<{ last: string }>(
    `select key::text as last from (
       select ${key} as key from ${table} where $1::${keyType} is null or ${key} > $1::${keyType}
       order by ${key} limit ${size}
     ) page order by key desc limit 1`,
    [after],
  );
  return rows[0]?.last;
}

/** The condition of a page, over the table as `t`; its bounds are $1 and $2. */
export const inPage = ({ key, keyType = 'text' }: Paged) =>
  `($1::${keyType} is null or t.${key} > $1::${keyType}) and t.${key} <= $2::${keyType}`;

/** A list of addresses without the person. */
export const listWithout = (column: string, spellings: string) => `(
  select coalesce(jsonb_agg(r order by ordinality), '[]')
  from jsonb_array_elements(t.${column}) with ordinality as all_of_them (r, ordinality)
  where lower(r ->> 'address') <> all(${spellings}))`;

/** Redacts one table and answers the keys of the rows that it changed. */
export async function redactTable(
  tx: Queryable,
  person: Person,
  name: string,
  table: PersonalTable,
): Promise<string[]> {
  const redacted = Object.entries(table.columns).flatMap(([column, treatment]) => {
    if (treatment !== 'words' && treatment !== 'document') return [];
    const text = treatment === 'document' ? `t.${column}::text` : `t.${column}`;
    const cast = treatment === 'document' ? '::jsonb' : '';
    return [{ set: `${column} = regexp_replace(${text}, $3, $4, 'gi')${cast}`, matches: `${text} ~* $3` }];
  });
  if (redacted.length === 0) return [];
  const changed: string[] = [];
  for await (const { after, last } of pagesOf(tx, name, table)) {
    const { rows } = await tx.query<{ key: string }>(
      `update ${name} t set ${[...redacted.map(({ set }) => set), ...(table.also ? [table.also] : [])].join(', ')}
       where ${inPage(table)} and (${redacted.map(({ matches }) => matches).join(' or ')})
         and ${table.only ?? 'true'}
       returning t.${table.key}::text as key`,
      [after, last, person.pattern, String.raw`\1${erasedAddress}`],
    );
    changed.push(...rows.map(({ key }) => key));
  }
  return changed;
}

// How much room a database takes.
import type { TestDatabase } from '../kit/database.ts';

export async function diskBytes({ query }: Pick<TestDatabase, 'query'>): Promise<number> {
  const { rows } = await query<{ bytes: number }>(
    'select pg_database_size(current_database())::float8 as bytes',
  );
  return rows[0]?.bytes ?? Number.NaN;
}

// The whole suppression list, a page at a time, so that it needs little memory however long it is.
import type { Queryable } from '../../../deploy/database.ts';
import { type Filters, oldestSuppressions, type Suppression } from './suppression.ts';

const atOnce = 1_000;

/** Oldest first. */
export async function* pagesOfSuppressions(
  q: Queryable,
  filters: Filters,
): AsyncGenerator<readonly Suppression[]> {
  let after: string | undefined;
  do {
    const page = await oldestSuppressions(q, { ...filters, limit: atOnce, after });
    yield page;
    after = page.length === atOnce ? page.at(-1)?.id : undefined;
  } while (after !== undefined);
}

// Writes down what every cause means at this provider and on this platform, so that the dashboard and the api can say
// it too.
import type { Queryable } from '../deploy/database.ts';
import { writeCauses } from './client/status/causes.ts';
import { type Cause, catalogue } from './verdict/catalogue.ts';
import { explain, type FailurePlace } from './verdict/explain.ts';

/**
 * @param place SMTP_HOST and the platform: some causes mean something else at a provider we know, and where to
 *   put them right differs by platform
 */
export async function storeCauses(
  q: Queryable,
  place: Pick<FailurePlace, 'host' | 'platform'>,
): Promise<void> {
  const slugs = Object.keys(catalogue) as Cause[];
  const words = slugs.map((slug) => {
    const { title, meaning, fix, where } = explain(slug, place);
    return [slug, { title, meaning, fix: where === null ? fix : `${fix} ${where}` }] as const;
  });
  await writeCauses(q, Object.fromEntries(words));
}

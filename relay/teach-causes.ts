// Writes down what every cause means at this provider, so that the dashboard and the api can say it too.
import type { Queryable } from '../deploy/database.ts';
import { writeCauses } from './client/causes.ts';
import { type Cause, catalogue } from './verdict/catalogue.ts';
import { explain } from './verdict/explain.ts';

/** @param host SMTP_HOST: some causes mean something else, or are put right elsewhere, at a provider we know */
export async function teachCauses(q: Queryable, host: string | undefined): Promise<void> {
  const slugs = Object.keys(catalogue) as Cause[];
  const words = slugs.map((slug) => {
    const { title, meaning, fix } = explain(slug, { host });
    return [slug, { title, meaning, fix }] as const;
  });
  await writeCauses(q, Object.fromEntries(words));
}

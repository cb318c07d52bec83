// What the migrations make of an empty database lies beside them as one text, so that a review sees it whole.
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { freshDatabase } from '../kit/database.ts';
import { readSchema } from '../kit/schema.ts';

const head = `-- The schema after all migrations, to be read: \`npm run schema\` writes it, and nothing runs it.\n\n`;

test('deploy/schema.sql is what the migrations make; when the difference is meant, `npm run schema` writes it', async () => {
  await using fresh = await freshDatabase();
  await using database = openDatabase({ url: fresh.url, applicationName: 'schema-test', max: 1 });
  await expect(head + (await readSchema(database))).toMatchFileSnapshot('../../deploy/schema.sql');
});

// The pages with a hundred thousand mails behind them, as a person meets them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeHistory } from '../../kit/history.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, hasChromium, openBrowser, openPage, signIn, type Watched } from './chromium.ts';

const emails = 100_000;

describe.skipIf(!hasChromium)('with a hundred thousand mails', () => {
  let stack: Stack;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Watched;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([
      startStack({ processes: ['api'], provider: false, api: { ADMIN_PASSWORD: adminPassword } }),
      openBrowser(),
    ]);
    await writeHistory(stack.database, { emails });
    await until(async () => (await stack.database.query('select from search_document')).rowCount === emails, {
      what: 'all of it to be searchable',
      timeoutMs: 90_000,
    });
    page = await openPage(browser);
    await signIn(page, stack.api.url, '/emails');
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  const subjects = () => page.locator('a.subject').allInnerTexts();

  test('the list reads on page by page, and back to the newest', async () => {
    await until(async () => (await subjects()).length === 50);
    const newest = await subjects();
    await page.getByRole('button', { name: 'Older' }).click();
    await until(async () => (await subjects())[0] !== newest[0]);
    const older = await subjects();
    expect(older).toHaveLength(50);
    expect(await page.evaluate('scrollY')).toBe(0);
    await page.locator('tbody tr').last().scrollIntoViewIfNeeded();
    expect(await page.evaluate('scrollY')).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Newest' }).click();
    await until(async () => (await subjects())[0] === newest[0]);
    expect(page.complaints).toEqual([]);
  });

  test('a search finds the one among them, by its subject and by its address', async () => {
    const search = page.getByRole('searchbox');
    await search.fill('haystack needle');
    await until(async () => (await subjects()).join() === 'Needle in the haystack');
    await search.fill('first@example.net');
    await until(async () => (await page.locator('td.to').allInnerTexts()).join() === 'first@example.net');
    await search.fill('xylophone');
    await page.getByText('No emails match').waitFor();
    await search.fill('');
    await until(async () => (await subjects()).length === 50);
  });

  test('an act on all that a filter finds says how many that are', async () => {
    const { rows } = await stack.database.query<{ n: number }>(
      "select count(*)::integer as n from email where status = 'sent'",
    );
    const sent = rows[0]?.n ?? 0;
    expect(sent).toBeGreaterThan(emails / 2);
    await page.getByRole('group', { name: 'Statuses' }).getByRole('button', { name: 'sent' }).click();
    await page
      .getByRole('group', { name: 'Actions on several emails' })
      .getByRole('button', { name: 'Cancel' })
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`Cancel: ${sent.toLocaleString('en-GB')} emails`).waitFor();
    await dialog.getByRole('button', { name: 'Back' }).click();
    await until(async () => (await page.getByRole('dialog').count()) === 0);
  });
});

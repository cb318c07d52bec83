// A customer as support sees it: whether the invitation arrived, what inviting again does, and no way to delete by mistake.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { hasChromium, openBrowser, openPage, signIn } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

describe.skipIf(!hasChromium)('customers in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), openBrowser()]);
    await dashboard.query(
      `insert into cause (slug, title, meaning, fix) values ('user-unknown', 'No such mailbox', 'm', 'Correct the address.')
       on conflict (slug) do update set title = excluded.title, fix = excluded.fix`,
    );
    page = await openPage(browser);
    await signIn(page, dashboard.base, '/customers');
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  /** What the relay would have written of the newest invitation. */
  async function bounce() {
    await dashboard.query(
      `with newest as (
         update email set status = 'bounced', reason = 'user-unknown', queue_id = 'GONE', accepted_at = now(), finished_at = now(),
           next_hand_over_at = null
         where id = (select email_id from invitation order by id desc limit 1) returning id, message_id
       ), handed as (
         insert into message (queue_id, email_id, credential, sender, header_from, message_id, size, priority)
         select 'GONE', id, 'postern', 'hello@example.com', 'hello@example.com', message_id, 900, 1 from newest
       )
       insert into recipient (queue_id, ordinal, email_id, address, status, priority, reason, finished_at, reply)
       select 'GONE', 0, id, 'ann@example.com', 'bounced', 1, 'user-unknown', now(), '550 5.1.1 No mailbox here by that name' from newest`,
    );
  }

  test('an invitation that bounced is told with its reply, and a new one with what it does to the old link', async () => {
    await page.getByText('No customers yet.').waitFor();
    await page.getByRole('button', { name: 'New customer' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Example Bakery');
    await page.getByLabel('Address', { exact: true }).fill('office@example.com');
    await page.getByLabel('Owner’s name').fill('Ann Example');
    await page.getByLabel('Owner’s address').fill('ann@example.com');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'Example Bakery' }).waitFor();
    await until(async () => (await page.title()) === 'Example Bakery · Postern');
    const now = page.getByRole('region', { name: 'The last invitation' });
    await now.getByText('To ann@example.com: Not due yet').waitFor();
    await now
      .getByText('stops working at once. The earlier email was not sent yet, and is cancelled.')
      .waitFor();

    await bounce();
    await page.reload();
    await now.getByText('ann@example.com was refused').waitFor();
    await now.getByText('No such mailbox.').waitFor();
    await now.getByText('550 5.1.1 No mailbox here by that name').waitFor();
    await page.getByRole('region', { name: 'Mail of the customer' }).getByText('bounced').waitFor();
    expect(await faultsOf(page)).toEqual([]);

    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Owner’s address').fill('ann.example@example.com');
    await page.getByRole('button', { name: 'Save' }).click();
    await now.getByText('A new link goes to ann.example@example.com.').waitFor();
    await now.getByRole('button', { name: 'Invite again' }).click();
    await now.getByText('Invited again, with a new link.').waitFor();
    await now.getByText('To ann.example@example.com: ').waitFor();
    const { rows } = await dashboard.query('select from invitation where revoked_at is not null');
    expect(rows).toHaveLength(1);
    await page.getByRole('link', { name: 'In the list of emails' }).click();
    await until(async () => (await page.locator('tbody tr').count()) === 2);
    await page.goBack();
    expect(page.complaints).toEqual([]);
  }, 60_000);

  test('the list tells of each invitation; deleting hides behind a menu and asks for the name', async () => {
    await page.goto(`${dashboard.base}/customers?q=baker`);
    const row = page.getByRole('row', { name: /Example Bakery/ });
    await row.getByText('pending').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await row.getByRole('link').click();
    await page.getByRole('heading', { name: 'Example Bakery' }).waitFor();
    expect(await page.getByRole('button', { name: 'Delete' }).isVisible()).toBe(false);
    await page.getByText('More', { exact: true }).click();
    expect(await faultsOf(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.getByRole('button', { name: 'Delete or erase' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove Example Bakery?' });
    await dialog.getByText('Delete it, and erase the person').click();
    const yes = dialog.getByRole('button', { name: 'Delete and erase' });
    await dialog.getByLabel('to confirm').fill('Example');
    expect(await yes.isDisabled()).toBe(true);
    expect(await faultsOf(page)).toEqual([]);
    await dialog.getByLabel('to confirm').fill('Example Bakery');
    await yes.click();
    await page.getByRole('dialog', { name: 'Example Bakery is removed' }).getByText('1 email and').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('heading', { name: 'Customers' }).waitFor();
    const { rows } = await dashboard.query<{ customers: number; mails: number }>(
      `select (select count(*) from customer)::integer as customers,
         (select count(*) from email where recipients::text like '%ann.example@%')::integer as mails`,
    );
    expect(rows).toEqual([{ customers: 0, mails: 0 }]);
    expect(page.complaints).toEqual([]);
  }, 60_000);

  test('the suppression list goes in and out as a file, and can be narrowed to a stream', async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${dashboard.base}/suppressions`);
    const choose = async (text: string) => {
      const buffer = Buffer.from(text);
      await page.getByLabel('File').setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer });
      await page.getByRole('dialog').getByRole('button', { name: 'Import' }).click();
    };
    await page.getByRole('button', { name: 'Import' }).click();
    expect(await faultsOf(page)).toEqual([]);
    await choose('address\nann@example.com\nnobody\n');
    await page.getByRole('alert').getByText('line-3/address').waitFor();
    expect((await dashboard.query('select from suppression')).rows).toEqual([]);
    // The refusal, as the browser notes it.
    expect(page.complaints.splice(0)).toHaveLength(1);
    await choose('address,stream\nann@example.com,news\nben@example.com,\n');
    await page.getByText('2 added, 0 known already.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await until(async () => (await page.locator('tbody tr').count()) === 2);
    await page.getByLabel('Only the stream').fill('news');
    await page.keyboard.press('Enter');
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    expect(new URL(page.url()).search).toBe('?stream=news');
    expect(await faultsOf(page)).toEqual([]);
    const file = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Export' }).click();
    const text = await readFile((await (await file).path()) ?? '', 'utf8');
    expect(text).toContain('ann@example.com,manual,news,');
    expect(text).not.toContain('ben@');

    await page.getByRole('button', { name: 'Add an address' }).click();
    expect(await page.getByRole('dialog').getByLabel('Stream').inputValue()).toBe('news');
    await page.getByRole('dialog').getByLabel('Address').fill('kim@example.com');
    await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
    await page.getByText('kim@example.com').waitFor();
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    expect(await faultsOf(page)).toEqual([]);
    expect(page.complaints).toEqual([]);
  }, 60_000);
});

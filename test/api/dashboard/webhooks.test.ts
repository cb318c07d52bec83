// The pages for webhooks and for the suppression list in a real browser.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

describe.skipIf(!hasChromium)('webhooks and suppressions in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), openBrowser()]);
    page = await openPage(browser);
    await signIn(page, dashboard.base);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  const emailId = '0199c0de-0000-7000-8000-000000000001';

  /** What the worker and the relay would have written. */
  const fill = async (webhookId: string) => {
    await dashboard.query(
      `insert into email (id, kind, status, queue_id, accepted_at, from_address, recipients, subject, text_body,
         message_id, token, finished_at, next_hand_over_at)
       values ($1, 'single', 'bounced', 'QUEUE1', now(), 'hello@example.com',
         '[{"address":"nobody@example.org","name":null}]', 'Password reset', 'Hi', '<1@example.com>', 'x', now(), null)`,
      [emailId],
    );
    await dashboard.query(
      `insert into cause (slug, title, meaning, fix) values ('user-unknown', 'No such mailbox', 'm', 'f')
       on conflict (slug) do nothing`,
    );
    await dashboard.query(
      `insert into suppression (id, address, digest, reason, cause, source_email_id, reply, note)
       select gen_random_uuid(), address, suppression_digest(address), reason, cause, $1::uuid, reply, note
       from (values
         ('nobody@example.org', 'bounce', 'user-unknown', '550 5.1.1 <nobody@example.org>: User unknown', null),
         ('ann@example.org', 'complaint', null, null, null),
         ('kim@example.org', 'manual', null, null, 'Asked by telephone')) as given (address, reason, cause, reply, note)`,
      [emailId],
    );
    await dashboard.query(
      `insert into webhook_delivery (id, webhook_id, type, data, email_id, status, next_attempt_at, attempts,
         attempted_at, answer_status, answer, error, duration_ms)
       select new_webhook_event_id(), $1::uuid, type, data, $2::uuid, status,
         case when status = 'waiting' then now() + interval '5 minutes' end, attempts, now(), answered, answer, error, 41
       from (values
         ('email.queued', '{"recipient":"nobody@example.org"}'::jsonb, 'delivered', 1, 200, 'ok', null),
         ('email.bounced', '{"recipient":"nobody@example.org","status":"bounced"}', 'waiting', 2, 503, 'busy', 'it answered 503'),
         ('email.deferred', '{"recipient":"nobody@example.org"}', 'failed', 9, null, null, 'connection refused')
       ) as given (type, data, status, attempts, answered, answer, error)`,
      [webhookId, emailId],
    );
    await dashboard.query(
      `update webhook_delivery set data = data || jsonb_build_object('email_id', email_id) where email_id is not null`,
    );
  };

  test('an endpoint is made, looked at, replayed, rotated and deleted; a mail tells which endpoints heard of it', async () => {
    await page.goto(`${dashboard.base}/webhooks`);
    await page.getByText('No endpoints yet').waitFor();
    await page.getByRole('button', { name: 'New endpoint' }).click();
    await page.getByLabel('URL').fill('https://10.0.0.1/hooks');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('alert').getByText('must lead to a public address').first().waitFor();
    await page.getByLabel('URL').fill('https://shop.example.com/hooks/mail');
    await page.getByLabel('Description').fill('The shop');
    await page.getByLabel('All, also').uncheck();
    for (const event of ['email.bounced', 'lane.stopped']) await page.getByLabel(event).check();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Create' }).click();
    expect(await page.locator('.secret').innerText()).toMatch(/^whsec_/);
    await page.getByRole('button', { name: 'I have it' }).click();
    await page.getByRole('link', { name: 'shop.example.com' }).waitFor();
    const { rows } = await dashboard.query<{ id: string; events: string[] }>(
      'select id, events from webhook',
    );
    const webhook = rows[0]?.id ?? '';
    expect(rows[0]?.events).toEqual(['email.bounced', 'lane.stopped']);
    await fill(webhook);
    await keepScreenshot(page, 'webhooks');
    expect(await faultsOf(page)).toEqual([]);

    await page.goto(`${dashboard.base}/emails/${emailId}`);
    const heard = page.getByRole('region', { name: 'Webhooks' });
    await heard.getByText('email.bounced').waitFor();
    expect(await heard.getByRole('listitem').allInnerTexts()).toHaveLength(3);
    expect(await heard.innerText()).toContain('answered 503');
    await heard.getByRole('link', { name: 'shop.example.com' }).click();

    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    const failed = page.getByRole('row', { name: /email.deferred/ });
    await failed.getByText('connection refused').waitFor();
    await failed.getByText('Data').click();
    await keepScreenshot(page, 'webhook');
    expect(await faultsOf(page)).toEqual([]);
    await failed.getByRole('button', { name: 'Replay' }).click();
    await failed.getByText('waiting').waitFor();
    await page.getByRole('button', { name: 'Replay many' }).click();
    await page.getByLabel('Which').selectOption('delivered');
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await page.getByText('1 event is due now').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    const waiting = await dashboard.query(`select from webhook_delivery where status = 'waiting'`);
    expect(waiting.rowCount).toBe(3);

    await page.getByRole('button', { name: 'Rotate the secret' }).click();
    await page.getByRole('button', { name: 'Make a new secret' }).click();
    await page.getByText('The old secret signs as well').waitFor();
    await page.getByRole('button', { name: 'I have it' }).click();
    expect((await dashboard.query('select from webhook_secret')).rowCount).toBe(2);

    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No endpoints yet').waitFor();
    expect(page.complaints.filter((complaint) => !/422/.test(complaint))).toEqual([]);
  }, 60_000);

  test('says why an address is not written to, adds one and takes one off', async () => {
    await page.goto(`${dashboard.base}/suppressions`);
    const row = page.getByRole('row', { name: /nobody@example.org/ });
    await row.getByText('No such mailbox').waitFor();
    await row.getByText('550 5.1.1').waitFor();
    await keepScreenshot(page, 'suppressions');
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('searchbox').fill('KIM@example.org');
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    await page.getByText('Asked by telephone').waitFor();
    await page.getByRole('searchbox').fill('ben@example.org');
    await page.getByText('ben@example.org is not on the list').waitFor();
    await page.getByRole('button', { name: 'Add it' }).click();
    await page.getByLabel('Note').fill('Moved away');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const added = page.getByRole('row', { name: /ben@example.org/ });
    await added.getByText('Moved away').waitFor();
    await added.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('button', { name: 'Remove from the list' }).click();
    await page.getByText('ben@example.org is not on the list').waitFor();
    await page.getByRole('button', { name: 'Complained' }).click();
    await page.getByRole('row', { name: /ann@example.org/ }).waitFor();
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    await page.goto(`${dashboard.base}/suppressions`);
    await row.getByRole('link', { name: 'The email that showed it' }).click();
    await page.getByRole('heading', { name: 'Password reset' }).waitFor();
    expect(page.complaints.filter((complaint) => !/404|422/.test(complaint))).toEqual([]);
  }, 60_000);
});

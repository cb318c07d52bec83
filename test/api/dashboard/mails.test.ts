// The list of all mail and the page of one, in a real browser.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { hasChromium, openBrowser, openPage, plainHost, signIn } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';
import { viewOf } from './first-view.ts';

const scan = `Message-ID: <1@scan>
Date: Mon, 30 Nov 2026 10:00:00 +0000
From: scan@example.com
To: kim0@example.net
Subject: =?utf-8?q?Seven_p=C3=A4ges?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/related; boundary=inner

--inner
Content-Type: text/html; charset=utf-8

<h2>Seven pages</h2><img id=logo width=40 height=40 alt="" src="cid:logo@scan"><img src="https://evil.example.com/p.gif" alt="">
<a id=away href="https://example.com/pages">Look at them</a><script>top.document.title = 'owned'</script>
--inner
Content-Type: image/png; name="logo.png"
Content-ID: <logo@scan>
Content-Transfer-Encoding: base64

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==
--inner--
--outer
Content-Type: text/plain; charset=utf-8
Content-Disposition: attachment; filename="pages.txt"

one, two
--outer--
`;

describe.skipIf(!hasChromium)('all mail in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), openBrowser()]);
    await fill();
    page = await openPage(browser);
    await signIn(page, dashboard.base, '/emails');
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  const insert = async (draft: Partial<EmailDraft>) => {
    const { id } = await dashboard.database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'single',
        from: { address: 'hello@example.com' },
        recipients: [{ kind: 'to', address: 'ann@example.com', name: 'Ann Example' }],
        subject: 'Hello',
        text: 'Hello',
        dueAt: new Date(Date.now() + 3_600_000),
        ...draft,
      }),
    );
    return id;
  };

  /** What the relay would have written. */
  async function fill() {
    for (let n = 0; n < 30; n++) await insert({ subject: `Letter ${n}` });
    const unsure = await insert({
      subject: 'Unsure',
      tags: [{ name: 'app', value: 'shop' }],
      stream: 'receipts',
    });
    await dashboard.query(
      `update email set status = 'uncertain', queue_id = 'UNSURE', accepted_at = now(), next_hand_over_at = null where id = $1`,
      [unsure],
    );
    await dashboard.query(
      `insert into message (queue_id, email_id, credential, sender, header_from, message_id, subject, size, priority)
       select 'UNSURE', id, 'postern', 'hello@example.com', 'hello@example.com', message_id, null, 900, 1 from email where subject = 'Unsure'
       union all
       values ('1M8PD79SR22PCMSZ', null::uuid, 'printer', 'scan@example.com', 'scan@example.com', '<1@scan>', 'Scan 7', 900, 1)`,
    );
    await dashboard.query(
      `insert into recipient (queue_id, ordinal, email_id, address, status, priority, marked_at, reason, finished_at, reply)
       select 'UNSURE', 0, id, 'ann@example.com', 'uncertain'::mail_status, 1, now(), 'reply-lost', null, null from email where subject = 'Unsure'
       union all
       select '1M8PD79SR22PCMSZ', n, null::uuid, 'kim' || n || '@example.net', 'bounced'::mail_status, 1, null, 'user-unknown', now(), '550 5.1.1 User unknown'
       from generate_series(0, 2) n`,
    );
    await dashboard.query(
      `insert into message_part (queue_id, part, content) values ('1M8PD79SR22PCMSZ', 0, 'Subject: Scan 7')`,
    );
    await dashboard.query(
      `insert into cause (slug, title, meaning, fix) values ('user-unknown', 'No such mailbox', 'm', 'Correct the address.')
       on conflict (slug) do update set title = excluded.title, fix = excluded.fix`,
    );
  }

  test('one list, narrowed in the address; rows and focus are there on the way back; the page of a mail acts', async () => {
    await until(async () => (await page.locator('.total').innerText()) === '32');
    await page.getByRole('button', { name: 'Filters' }).click();
    await page.getByLabel('Source').selectOption('smtp');
    const scan = page.getByRole('link', { name: 'Scan 7' });
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    expect(new URL(page.url()).search).toBe('?source=smtp');
    await page.getByText('No such mailbox').waitFor();
    expect(await faultsOf(page)).toEqual([]);

    await scan.click();
    await page.getByRole('heading', { name: 'Scan 7' }).waitFor();
    await until(async () => (await page.title()) === 'Scan 7 · Postern');
    // Three recipients with one fate: the advice and the reply stand there once.
    await page.getByText('3 recipients').waitFor();
    expect(await page.getByText('Correct the address.').count()).toBe(1);
    expect(await page.getByText('550 5.1.1 User unknown').count()).toBe(1);
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('link', { name: '← Emails' }).click();
    await until(async () => (await page.locator('tbody tr').count()) === 1);

    await page.goto(`${dashboard.base}/emails?text=letter`);
    await page.getByRole('link', { name: 'Letter 7' }).click();
    await page.getByRole('heading', { name: 'Letter 7' }).waitFor();
    // Rows of before are shown at once: the answer to the new question is kept back until then.
    const shown = Promise.withResolvers<void>();
    await page.route('**/dashboard/emails?*', (route) => shown.promise.then(() => route.continue()));
    await page.goBack();
    await page.getByRole('link', { name: 'Letter 8' }).waitFor();
    await until(async () => (await page.evaluate('document.activeElement.textContent')) === 'Letter 7');
    shown.resolve();
    await page.unrouteAll({ behavior: 'wait' });

    const csv = page.waitForEvent('download');
    await page.getByRole('link', { name: 'CSV' }).click();
    expect((await csv).suggestedFilename()).toMatch(/^emails-.*\.csv$/);
    expect(page.complaints).toEqual([]);
  }, 60_000);

  test('mail over SMTP is shown like that of the api: isolated, with its pictures, its links and its files', async () => {
    await dashboard.query(
      `insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority)
       values ('1M8PD79SR22PCMT0', 'printer', 'scan@example.com', 'scan@example.com', '<1@scan>', 'Pages', 900, 1)`,
    );
    await dashboard.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, finished_at)
       values ('1M8PD79SR22PCMT0', 0, 'kim@example.net', 'sent', 1, now())`,
    );
    await dashboard.query(
      `insert into message_part (queue_id, part, content) values ('1M8PD79SR22PCMT0', 0, $1)`,
      [Buffer.from(scan.replaceAll('\n', '\r\n'))],
    );
    const looking = await openPage(browser, { storageState: await page.context().storageState() });
    await looking.goto(`${dashboard.base}/submitted/1M8PD79SR22PCMT0`);
    const frame = looking.frameLocator('iframe');
    await frame.getByRole('heading', { name: 'Seven pages' }).waitFor();
    expect(await frame.locator('#logo').getAttribute('src')).toMatch(/^data:image\/png;base64,iVBOR/);
    await looking.getByText('1 remote resource not loaded').waitFor();
    expect(await faultsOf(looking)).toEqual([]);
    const opened = looking.context().waitForEvent('page');
    await frame.locator('#away').click();
    const leaving = await opened;
    await leaving.getByText('https://example.com/pages', { exact: true }).waitFor();
    await leaving.close();
    const picture = looking.waitForResponse('**/picture');
    await looking.getByRole('tab', { name: 'Files (2)' }).click();
    await looking.getByText('image/png, 70 B').waitFor();
    expect((await picture).headers()['content-type']).toBe('image/png');
    expect(await faultsOf(looking)).toEqual([]);
    const file = looking.waitForEvent('download');
    await looking.getByRole('link', { name: 'pages.txt' }).click();
    expect(await readFile((await (await file).path()) ?? '', 'utf8')).toBe('one, two');
    await looking.getByRole('tab', { name: 'Headers' }).click();
    await looking.getByText('Seven päges', { exact: true }).waitFor();
    await looking.getByRole('tab', { name: 'Source' }).click();
    await looking.getByLabel('Find in the source').fill('logo@scan');
    await looking.getByText('2 found').waitFor();
    await looking.setViewportSize({ width: 390, height: 844 });
    expect(await looking.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await looking.setViewportSize({ width: 1280, height: 800 });
    // The policy of the frame stops the image, its sandbox the script; nothing else is wrong.
    expect(looking.complaints.map((each) => /p.gif.*Content Security|script.*sandboxed/.test(each))).toEqual([
      true,
      true,
    ]);
    looking.complaints.length = 0;

    await looking.getByRole('button', { name: 'Send again' }).click();
    await looking.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
    await looking.getByRole('link', { name: 'an earlier email' }).click();
    await looking.getByText('Sent again, as a new email').waitFor();
    expect(await faultsOf(looking)).toEqual([]);

    await dashboard.query(`delete from message_part where queue_id = '1M8PD79SR22PCMT0'`);
    await looking.reload();
    await looking.getByText('The message is no longer stored').waitFor();
    await looking.getByRole('button', { name: 'Send again' }).click();
    await looking.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
    await looking.getByRole('alert').getByText('Its body is no longer stored.').waitFor();
    // A refusal is a failed request to the browser; the rest was blocked as before.
    const others = looking.complaints.filter((each) => !/Content Security|sandboxed/.test(each));
    expect(others).toEqual([expect.stringContaining('409')]);
    await looking.context().close();
  }, 60_000);

  test('the first view costs six requests and 120 kB, the next asks for no file; all sections are a press away on a phone; ? tells the keys', async () => {
    const fresh = await openPage(browser, { storageState: await page.context().storageState() });
    const first = await viewOf(fresh.context(), dashboard.base);
    expect(first.asked.length).toBeLessThanOrEqual(6);
    expect(first.asked).toContainEqual(expect.stringContaining('/dashboard/files/'));
    expect(first.bytes).toBeLessThanOrEqual(120_000);
    const encoded = await sizesOf(first.asked.find((path) => path.endsWith('.js')) ?? '');
    expect(encoded.map(([encoding]) => encoding)).toEqual(['br', 'gzip', null]);
    expect(new Set(encoded.map(([, length]) => length)).size).toBe(1);
    // Who was here before has the files.
    const again = await viewOf(fresh.context(), dashboard.base);
    expect(again.asked).not.toContainEqual(expect.stringContaining('/dashboard/files/'));
    await fresh.goto(dashboard.base);
    await fresh.getByRole('heading', { name: 'History' }).waitFor();
    await fresh.keyboard.press('?');
    await fresh.getByRole('dialog', { name: 'Keyboard shortcuts' }).getByText('Suppressions').waitFor();
    expect(await faultsOf(fresh)).toEqual([]);
    await fresh.keyboard.press('Escape');

    await fresh.setViewportSize({ width: 390, height: 844 });
    const menu = fresh.getByRole('button', { name: 'Overview' });
    await menu.click();
    const links = await fresh.getByRole('navigation', { name: 'Sections' }).getByRole('link').all();
    expect(links.length).toBeGreaterThan(9);
    for (const link of links) {
      const box = await link.boundingBox();
      expect((box?.x ?? 999) + (box?.width ?? 999)).toBeLessThanOrEqual(390);
      expect((box?.y ?? 999) + (box?.height ?? 999)).toBeLessThanOrEqual(844);
    }
    expect(await faultsOf(fresh)).toEqual([]);
    await fresh.getByRole('link', { name: 'Suppressions' }).click();
    await fresh.getByRole('button', { name: 'Suppressions', expanded: false }).waitFor();

    const lost = await fresh.goto(`${dashboard.base}/nowhere`);
    expect(lost?.status()).toBe(404);
    await fresh.getByRole('link', { name: 'Dashboard' }).waitFor();
    await fresh.context().close();
  }, 60_000);

  /** The encodings a file is sent in, and the length of what is read from each. */
  const sizesOf = async (path: string) => {
    const read = await Promise.all(
      ['gzip, deflate, br, zstd', 'gzip', 'identity'].map(async (accepted) => {
        const response = await fetch(dashboard.base + path, { headers: { 'accept-encoding': accepted } });
        return [response.headers.get('content-encoding'), (await response.text()).length] as const;
      }),
    );
    return read;
  };

  test('what nobody knows is decided by a person, who may take it back for a moment; sending again leads to the new mail', async () => {
    await page.goto(`${dashboard.base}/emails?tag=app:shop`);
    await page.getByRole('link', { name: 'stream receipts' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('link', { name: 'stream receipts' }).click();
    await until(() => new URL(page.url()).search === '?stream=receipts');
    await page.getByRole('link', { name: 'Unsure' }).click();
    const resolve = page.getByRole('region', { name: 'Did it arrive?' });
    await resolve.getByRole('button', { name: 'It arrived' }).click();
    await resolve.getByRole('button', { name: 'Undo' }).click();
    await resolve.getByRole('button', { name: 'It arrived' }).waitFor();
    const status = async () =>
      (await dashboard.query<{ status: string }>(`select status from recipient where queue_id = 'UNSURE'`))
        .rows[0]?.status;
    expect(await status()).toBe('uncertain');
    expect(await faultsOf(page)).toEqual([]);
    await resolve.getByRole('button', { name: 'It arrived' }).click();
    await resolve.getByText('marked as arrived').waitFor();
    // Whoever goes on has decided.
    await page.getByRole('link', { name: 'Keys' }).click();
    await until(async () => (await status()) === 'sent');

    await page.goBack();
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
    await page.getByRole('link', { name: 'an earlier email' }).click();
    await page.getByText('Sent again, as a new email').waitFor();
    const { rows } = await dashboard.query('select from email where again_of is not null');
    expect(rows).toHaveLength(1);
    expect(page.complaints).toEqual([]);
  }, 60_000);

  test('over plain http copying works as well', async () => {
    const { rows } = await dashboard.query<{ id: string }>(`select id from email where subject = 'Letter 7'`);
    const plain = await openPage(browser);
    const { port } = new URL(dashboard.base);
    await signIn(plain, `http://${plainHost}:${port}`, `/emails/${rows[0]?.id}`);
    expect(await plain.evaluate('[isSecureContext, navigator.clipboard === undefined]')).toEqual([
      false,
      true,
    ]);
    await plain.getByRole('button', { name: 'Copy the id' }).click();
    await plain.getByRole('button', { name: 'Copied' }).waitFor();
    await plain.keyboard.press('/');
    await plain.getByRole('searchbox').focus();
    await plain.keyboard.press('Control+v');
    expect(await plain.getByRole('searchbox').inputValue()).toBe(rows[0]?.id);
    expect(plain.complaints.filter((each) => !each.includes('Opener-Policy'))).toEqual([]);
    await plain.context().close();
  });
});

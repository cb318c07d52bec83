// The first page in a real browser: what needs attention by cause, the buttons of the verdict, and a week as plots.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

const relay = {
  configured: true,
  missing: [],
  problems: [],
  delivery_mode: 'deliver',
  limits: { max_message_size: 1 },
  allowed_senders: [],
  from: 'hello@example.com',
  routes: [],
  secrets: {},
  lanes: [
    {
      name: 'SMTP',
      state: 'unreachable',
      cause: 'tcp-timeout',
      detail: 'ETIMEDOUT',
      since: new Date().toISOString(),
      next_probe_at: null,
      paced_until: null,
      held_senders: [],
    },
  ],
  preflight: {
    ok: false,
    at: new Date().toISOString(),
    diagnosis: {
      stage: 'tcp',
      cause: 'tcp-timeout',
      title: 'The port is blocked',
      meaning: 'Nothing answers.',
      fix: 'Open port 465, then restart the relay. Run `npm run doctor -- --json` to see.',
      where: 'In Coolify, open the server.',
    },
  },
};

describe.skipIf(!hasChromium)('the overview in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Awaited<ReturnType<typeof openPage>>;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), openBrowser()]);
    await fill();
    page = await openPage(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
    await signIn(page, dashboard.base);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  const held = async (subject: string, reason: string) => {
    const { id } = await dashboard.database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'single',
        from: { address: 'hello@example.com' },
        recipients: [{ kind: 'to', address: 'ann@example.com' }],
        subject,
        text: 'Hello',
      }),
    );
    await dashboard.query(
      `update email set status = 'held', reason = $2, next_hand_over_at = null where id = $1`,
      [id, reason],
    );
  };

  /** What the other processes would have written. */
  async function fill() {
    for (let n = 0; n < 3; n++) await held(`Refused ${n}`, 'relay-refused');
    await held('Restored', 'database-restored');
    await dashboard.query(
      `insert into message (queue_id, credential, sender, header_from, message_id, subject, size, priority, received_at)
       select 'U' || n, 'shop', 'a@example.com', 'a@example.com', '', 'Unsure ' || n, 1, 1, now() - interval '2 hours'
       from generate_series(1, 2) n`,
    );
    await dashboard.query(
      `insert into recipient (queue_id, ordinal, address, status, priority, marked_at, reason)
       select 'U' || n, 0, 'kim@example.com', 'uncertain', 1, now(), 'reply-lost' from generate_series(1, 2) n`,
    );
    await dashboard.query(
      `insert into mail_hour (hour, counted_until, accepted, refused, expired, returned, waiting_most, waiting_last, delays)
       select date_trunc('hour', now()) - n * interval '1 hour', date_trunc('hour', now()) - (n - 1) * interval '1 hour',
         case n when 3 then 100000 else 18 end, 2, 0, 1, n, n, array_append(array_fill(0, array[16]), 18)
       from generate_series(1, 100) n`,
    );
    await dashboard.query(`insert into heartbeat (instance, process, report, seen_at)
      values (gen_random_uuid(), 'relay', '${JSON.stringify(relay)}', now() + interval '1 hour')`);
  }

  test('says what to do in steps that can be copied, and asks the relay at once', async () => {
    const verdict = page.locator('section.verdict');
    await verdict.getByRole('heading', { name: 'Mail cannot leave: the port is blocked' }).waitFor();
    expect(await verdict.locator('> .fix li').allInnerTexts()).toEqual([
      'Open port 465.',
      'Then restart the relay.',
      expect.stringMatching(/^Run npm run doctor -- --json to see\./),
      'In Coolify, open the server.',
    ]);
    await verdict.getByRole('button', { name: 'Copy npm run doctor -- --json' }).click();
    await until(
      async () => (await page.evaluate('navigator.clipboard.readText()')) === 'npm run doctor -- --json',
    );
    await verdict.getByRole('button', { name: 'Try now' }).click();
    await verdict.getByText('Nothing waits for another try.').waitFor();
    // A relay that is only written down answers nothing; that somebody asked it is written down too.
    await verdict.getByRole('button', { name: 'Check again' }).click();
    await until(async () => (await dashboard.query('select from doctor_run')).rowCount === 1);
  });

  test('groups what needs attention by cause; a group is listed, and tried again after its number was said', async () => {
    const group = (name: string) => page.locator('.groups li').filter({ hasText: name });
    await page.locator('.groups .status').nth(2).waitFor();
    expect(await page.locator('.groups .status').allInnerTexts()).toEqual(['uncertain', 'held', 'held']);
    expect(await group('uncertain').innerText()).toMatch(/2 emails\s*the oldest 2 h ago/);
    await group('3 emails').getByRole('link').click();
    await until(async () => (await page.locator('tbody tr').count()) === 3);
    expect(new URL(page.url()).searchParams.get('cause')).toBe('relay-refused');
    await page.goBack();

    await group('3 emails')
      .getByRole('button', { name: /^Try again/ })
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Try again 3' }).click();
    await dialog.getByText('3 done').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await until(async () => (await page.locator('.groups li').count()) === 2);

    await group('uncertain')
      .getByRole('button', { name: /^Decide/ })
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'They arrived' }).click();
    await dialog.getByRole('button', { name: 'They arrived 2' }).click();
    await dialog.getByText('2 done').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await until(async () => (await page.locator('.groups li').count()) === 1);
    expect(
      (await dashboard.query(`select from recipient where status = 'sent' and queue_id like 'U%'`)).rowCount,
    ).toBe(2);
  });

  test('a week is read by keyboard and as a table, and one outlier flattens nothing', async () => {
    const waiting = page.getByRole('slider', { name: /^Waiting/ });
    await waiting.focus();
    await page.keyboard.press('End');
    const last = await waiting.getAttribute('aria-valuetext');
    expect(last).toMatch(/: most in the hour \d+$/);
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    expect(await waiting.getAttribute('aria-valuetext')).not.toBe(last);
    expect(await waiting.getAttribute('aria-valuenow')).toBe('1');
    // Up to 100, and still a tenth of that stands halfway.
    const ten = page.locator('.plot', { hasText: 'Waiting' }).locator('.line', { hasText: /^10$/ });
    expect(Number(/bottom: ([\d.]+)%/.exec((await ten.getAttribute('style')) ?? '')?.[1])).toBeGreaterThan(
      40,
    );
    await page.getByText('As a table').click();
    const table = page.getByRole('region', { name: 'History as a table' });
    await table.locator('tbody tr').nth(99).waitFor();
    expect(await table.locator('tbody tr').nth(2).innerText()).toMatch(/18\s+2\s+1\s+0\s+90 %\s+15 %/);
    expect(await faultsOf(page)).toEqual([]);
    await keepScreenshot(page, 'overview-week');
  });

  test('without a connection the page says since when, and is right again afterwards', async () => {
    await page.context().setOffline(true);
    // A stream that stands open is not cut by it.
    await page.evaluate("dispatchEvent(new Event('offline'))");
    await page.locator('main.stale').waitFor();
    await page.getByText(/^No connection since \d\d:\d\d\./).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.context().setOffline(false);
    await page.locator('main:not(.stale)').waitFor({ timeout: 40_000 });
    expect(await page.getByText(/^No connection since/).count()).toBe(0);
  }, 60_000);

  test('fits a phone, dark as well', async () => {
    const phone = await openPage(browser, {
      storageState: await page.context().storageState(),
      viewport: { width: 390, height: 844 },
      isMobile: true,
      colorScheme: 'dark',
    });
    await phone.goto(dashboard.base);
    await phone.getByRole('slider').first().waitFor();
    await phone.getByText('As a table').click();
    await phone.getByText('What the numbers mean').click();
    expect(await phone.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    expect(await faultsOf(phone)).toEqual([]);
    expect(phone.complaints).toEqual([]);
    await phone.context().close();
  });
});

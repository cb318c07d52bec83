// Scheduled mail in a real browser: a calendar that is searched, moved and cancelled many at a time, and a client's form.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

const year = new Date().getFullYear() + 1;
// The last Sunday of March: at two the clocks of Berlin go to three.
const sunday = 31 - new Date(Date.UTC(year, 2, 31)).getUTCDay();
/** Counted from the beginning of March: two days after its last Sunday it may be April. */
const march = (day: number, clock: string) =>
  `${new Date(Date.UTC(year, 2, day)).toISOString().slice(0, 10)}T${clock}:00`;

describe.skipIf(!hasChromium)('scheduled mail in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Awaited<ReturnType<typeof openPage>>;
  let cookie: string;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard(), openBrowser()]);
    cookie = await dashboard.cookie();
    for (const [subject, day, clock, zone] of [
      ['Skipped hour', sunday - 1, '02:30', 'Europe/Berlin'],
      ['Far away', sunday - 1, '09:00', 'Asia/Tokyo'],
      ['Sent meanwhile', sunday - 1, '12:00', 'Europe/Berlin'],
      ['Another day', sunday + 2, '09:00', 'Europe/Berlin'],
    ] as const)
      await ask('POST', '/api/v1/emails', {
        to: [`${subject.toLowerCase().replace(' ', '.')}@example.com`],
        subject,
        text: 'Hello',
        scheduled_datetime: march(day, clock),
        time_zone: zone,
      });
    await ask('PUT', '/api/v1/client/acme%20%26%20co/email-config', form(['welcome', 'reminder', 'goodbye']));
    page = await openPage(browser);
    await signIn(page, dashboard.base, '/scheduled');
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  async function ask(method: string, path: string, body?: unknown) {
    const response = await fetch(dashboard.base + path, {
      method,
      headers: { cookie, 'content-type': 'application/json', 'x-postern-dashboard': '1' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect(response.ok, await response.clone().text()).toBe(true);
    return response.json();
  }

  const form = (keys: readonly string[]) => ({
    enabled: true,
    recipients: ['ann@example.org'],
    time_zone: 'Europe/Berlin',
    emails: keys.map((key, index) => ({
      key,
      subject: `The ${key}`,
      text: 'Hello',
      scheduled_datetime: `${year}-06-0${index + 1}T09:00:00`,
    })),
  });
  const entries = async () =>
    (
      await dashboard.query(
        `select entry_key as key, status, paused, subject, revision from email where entry_key is not null order by due_at, id`,
      )
    ).rows;
  const dueOf = async (subject: string) => {
    const { rows } = await dashboard.query<{ due_at: Date }>('select due_at from email where subject = $1', [
      subject,
    ]);
    return rows[0]?.due_at.toISOString();
  };
  const row = (name: string) => page.getByRole('row').filter({ hasText: name });
  const dialog = () => page.getByRole('dialog');

  test('stands by day with the time of those who get it, and is found by recipient, subject, client and key', async () => {
    await row('Another day').waitFor();
    const days = await page.locator('tr.day th').allInnerTexts();
    expect(days[0]).toMatch(new RegExp(`^Saturday,? ${sunday - 1} March ${year} 3$`));
    expect(days).toHaveLength(5);
    expect(await row('Far away').innerText()).toMatch(/01:00\s*Sat,? \d+ Mar,? 09:00 Asia\/Tokyo/);
    for (const [text, found] of [
      ['FAR.AWAY@example', 'Far away'],
      ['skipped', 'Skipped hour'],
      ['& co', 'The welcome'],
      ['goodbye', 'The goodbye'],
    ] as const) {
      await page.getByRole('searchbox').fill(text);
      await until(async () => new URL(page.url()).searchParams.get('text') === text);
      await row(found).waitFor();
      await until(
        async () => (await page.locator('tr:not(.day) a.subject').count()) === (text === '& co' ? 3 : 1),
      );
    }
    await page.getByRole('searchbox').fill('');
    await row('Another day').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await keepScreenshot(page, 'calendar');
  });

  test('moves several by a day, each in its own time zone, also into the hour that the clocks skip', async () => {
    await page.getByLabel('Choose Skipped hour').check();
    await page.getByLabel('Choose Far away').check();
    const bulk = page.getByRole('group', { name: 'Actions on several emails' });
    await bulk.getByRole('button', { name: 'Move' }).click();
    expect(await faultsOf(page)).toEqual([]);
    await dialog().getByRole('button', { name: 'Move 2 emails' }).click();
    await dialog().getByText('2 emails moved.').waitFor();
    await dialog().getByRole('button', { name: 'Close' }).click();
    expect(await dueOf('Skipped hour')).toBe(`${year}-03-${sunday}T01:00:00.000Z`);
    expect(await dueOf('Far away')).toBe(`${year}-03-${sunday}T00:00:00.000Z`);

    await page.getByLabel('Choose Far away').check();
    await bulk.getByRole('button', { name: 'Move' }).click();
    await dialog().getByLabel('To one time').check();
    await dialog().getByLabel('Local time').fill(`${year}-07-01T08:00`);
    await dialog().getByLabel('Time zone').selectOption('America/New_York');
    await dialog().getByRole('button', { name: 'Move 1 email' }).click();
    await dialog().getByText('1 email moved.').waitFor();
    await dialog().getByRole('button', { name: 'Close' }).click();
    expect(await dueOf('Far away')).toBe(`${year}-07-01T12:00:00.000Z`);
  });

  test('cancels several, and names the one that was sent meanwhile', async () => {
    await page.getByLabel('Choose Another day').check();
    await page.getByLabel('Choose Sent meanwhile').check();
    await page
      .getByRole('group', { name: 'Actions on several emails' })
      .getByRole('button', { name: 'Cancel' })
      .click();
    await dashboard.query(
      `update email set status = 'sent', queue_id = 'GONE', accepted_at = now(), finished_at = now(), next_hand_over_at = null
       where subject = 'Sent meanwhile'`,
    );
    await dialog().getByRole('button', { name: 'Cancel 2 emails' }).click();
    await dialog().getByText('1 email cancelled, 1 not:').waitFor();
    expect(await dialog().getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringMatching(/^Sent meanwhile to sent\.meanwhile@example\.com: .*sent/),
    ]);
    await dialog().getByRole('button', { name: 'Close' }).click();
    await row('Another day').waitFor({ state: 'detached' });
  });

  test('pauses a client and lets it go on, after saying how many emails that is', async () => {
    await row('The welcome').getByRole('link', { name: 'acme & co' }).click();
    await page.getByRole('heading', { name: 'acme & co' }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await dialog().getByRole('button', { name: 'Pause 3 emails' }).click();
    await page.getByText('3 emails are on hold.').waitFor();
    expect((await entries()).every(({ paused }) => paused)).toBe(true);
    await page.getByRole('button', { name: 'Resume' }).click();
    await dialog().getByRole('button', { name: 'Resume 3 emails' }).click();
    await page.getByText('3 emails will be sent at their time.').waitFor();
    expect((await entries()).some(({ paused }) => paused)).toBe(false);
    const { rows } = await dashboard.query(
      `select act, before, after from audit_entry where act like '%-client' order by id`,
    );
    expect(rows).toEqual([
      { act: 'pause-client', before: { enabled: true }, after: { enabled: false } },
      { act: 'resume-client', before: { enabled: false }, after: { enabled: true } },
    ]);
  });

  test('shows what saving a form would do before it does it, and what is wrong beside the field', async () => {
    const entry = (key: string) => page.getByRole('group', { name: key });
    const before = await entries();
    await page.getByRole('button', { name: 'Check and save' }).click();
    await dialog()
      .getByText(/3 emails will not change/)
      .waitFor();
    await dialog().getByRole('button', { name: 'Back' }).click();

    await entry('reminder').getByLabel('Subject').fill('Another subject');
    await page.getByRole('button', { name: 'Remove goodbye' }).click();
    await page.getByRole('button', { name: 'Add an email' }).click();
    const added = entry('New email');
    await added.getByLabel('Subject').fill('Late');
    await added.getByLabel('Local time').fill('2020-01-01T09:00');
    await added.getByLabel('Key').fill('late');
    await page.getByRole('button', { name: 'Check and save' }).click();
    await entry('late').getByText('is required unless html is given').waitFor();
    await entry('late').getByLabel('Text', { exact: true }).fill('Hello');
    await page.getByRole('button', { name: 'Check and save' }).click();
    await entry('late')
      .getByText(/past|ago/)
      .waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await entry('late').getByLabel('Local time').fill(`${year}-08-01T09:00`);
    await page.getByRole('button', { name: 'Check and save' }).click();
    await dialog().getByRole('listitem').nth(3).waitFor();
    expect(await dialog().getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringMatching(/created\s+1 email will be created: late/),
      expect.stringMatching(/updated\s+1 email will be changed in place: reminder/),
      expect.stringMatching(/cancelled\s+1 email will be cancelled: goodbye/),
      expect.stringMatching(/kept\s+1 email will not change/),
    ]);
    // Looking changed nothing.
    expect(await entries()).toEqual(before);
    const saves = async () =>
      (await dashboard.query(`select from audit_entry where act = 'save-email-config'`)).rowCount;
    const saved = await saves();
    await keepScreenshot(page, 'form');
    await dialog().getByRole('button', { name: 'Save: 1 created, 1 updated, 1 cancelled' }).click();
    await entry('late').waitFor();
    await until(async () => (await page.getByRole('dialog').count()) === 0);
    expect((await entries()).map(({ key, status, subject }) => [key, status, subject])).toEqual([
      ['welcome', 'pending', 'The welcome'],
      ['reminder', 'pending', 'Another subject'],
      ['goodbye', 'cancelled', 'The goodbye'],
      ['late', 'pending', 'Late'],
    ]);
    expect((await entries())[0]).toEqual(before[0]);
    expect([saved, await saves()]).toEqual([1, 2]);
  });

  test('fits a phone, dark as well', async () => {
    const phone = await openPage(browser, {
      storageState: await page.context().storageState(),
      viewport: { width: 390, height: 844 },
      isMobile: true,
      colorScheme: 'dark',
    });
    for (const path of ['/scheduled', '/scheduled/acme%20%26%20co']) {
      await phone.goto(dashboard.base + path);
      await phone.getByText('acme & co').first().waitFor();
      expect(await phone.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(390);
      expect(await faultsOf(phone), path).toEqual([]);
    }
    expect(phone.complaints).toEqual([]);
    await phone.context().close();
  });
});

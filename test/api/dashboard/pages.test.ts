// The golden paths in a real browser, with real mail: by eye, by keyboard, on a phone, and as axe sees it.
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { adminPassword, hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';
import { badTargetsOf } from './targets.ts';

const sections = [
  ['/', 'overview'],
  ['/emails', 'emails'],
  ['/refusals', 'refusals'],
  ['/scheduled', 'scheduled'],
  ['/customers', 'customers'],
  ['/applications', 'applications'],
  ['/diagnosis', 'diagnosis'],
  ['/keys', 'keys'],
  ['/webhooks', 'webhooks'],
  ['/suppressions', 'suppressions'],
  ['/people', 'people'],
  ['/audit', 'audit'],
] as const;

const evil = `<html><head><link rel="stylesheet" href="https://evil.example.com/a.css">
  <meta http-equiv="refresh" content="0;url=https://evil.example.com/"></head>
  <body onload="parent.document.title='owned'"><h2>Thank you, Ann</h2><p>Your order is on its way.</p>
  <img src="https://evil.example.com/p.gif" onerror="top.document.title='owned'">
  <a id="away" href="https://evil.example.com/" target="_top">Track it</a>
  <form action="https://evil.example.com/"><input name="a"><button>Send</button></form>
  <script>top.document.title = 'owned'; fetch('/api/v1/keys')</script></body></html>`;

const letter = `<div style="background:#f1eee6;padding:28px;font:15px/1.5 sans-serif"><div style="background:#fff;
  max-width:420px;margin:auto;padding:26px 30px;border-radius:8px"><h2>It is on its way</h2><p>Your order left our
  bakery this morning and arrives tomorrow.</p><p><a href="https://example.com/" style="background:#2c5d63;color:#fff;
  padding:9px 16px;border-radius:6px;text-decoration:none">Follow it</a></p></div></div>`;

describe.skipIf(!hasChromium)('the dashboard in a browser', () => {
  let stack: Stack;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let signedIn: Awaited<ReturnType<BrowserContext['storageState']>>;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([
      startStack({ api: { ADMIN_PASSWORD: adminPassword } }),
      openBrowser(),
    ]);
    await fill(stack);
    const page = await openPage(browser);
    await signIn(page, stack.api.url);
    signedIn = await page.context().storageState();
    await page.context().close();
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  /** A page of somebody who is signed in already. */
  const open = async (path = '/', wishes: Parameters<typeof openPage>[1] = {}) => {
    const page = await openPage(browser, { ...wishes, storageState: signedIn });
    await page.goto(stack.api.url + path);
    await page.getByRole('navigation', { name: 'Sections' }).waitFor();
    return page;
  };

  test('asks for the password, says when it is wrong, and leads to where one wanted to go', async () => {
    const page = await openPage(browser);
    await page.goto(`${stack.api.url}/keys`);
    await page.getByLabel('Password').fill('open barley');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('Wrong password').waitFor();
    await page.getByLabel('Password').fill(adminPassword);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Password').waitFor();
    await page.goto(`${stack.api.url}/emails`);
    await page.getByLabel('Password').waitFor();
    await page.context().close();
  });

  test.each(sections)(
    '%s is fine with axe, complains of nothing and asks no other host',
    async (path, name) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await open(path, { colorScheme });
        await settle(page);
        expect(await faultsOf(page)).toEqual([]);
        expect(page.complaints).toEqual([]);
        expect([...page.requested]).toEqual([stack.api.url]);
        if (colorScheme === 'light' || name === 'overview')
          await keepScreenshot(page, colorScheme === 'dark' ? `${name}-dark` : name);
        await page.context().close();
      }
    },
  );

  test.each(sections)('%s fits a phone', async (path, name) => {
    const page = await open(path, { viewport: { width: 360, height: 740 }, isMobile: true });
    await settle(page);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(360);
    expect(await badTargetsOf(page)).toEqual([]);
    if (name === 'overview') await keepScreenshot(page, 'phone');
    await page.context().close();
  });

  test('an HTML mail neither runs nor loads nor leads away', async () => {
    const page = await open(`/emails/${await idOf(stack, 'Evil order')}`);
    const frame = page.frameLocator('iframe');
    await frame.getByText('Your order is on its way').waitFor();
    await page.getByText('2 remote resources not loaded').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    const opened = page.context().waitForEvent('page');
    await frame.locator('#away').click();
    const leaving = await opened;
    await leaving.getByText('https://evil.example.com/', { exact: true }).waitFor();
    expect(new URL(leaving.url()).origin).toBe(stack.api.url);
    await leaving.close();
    await frame.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('tab', { name: 'Source' }).click();
    await page.getByText('Subject: Evil order').waitFor();
    expect(await page.title()).not.toContain('owned');
    expect(page.url()).toContain(stack.api.url);
    // What the mail tried is told in the console, as blocked; nothing was asked of its host.
    expect(
      page.complaints.filter((complaint) => !/Content Security Policy|sandbox/i.test(complaint)),
    ).toEqual([]);
    await page.context().close();
  });

  test('the timeline of an email runs from its creation to the reply of the provider', async () => {
    const page = await open(`/emails/${await idOf(stack, 'Your order 4712 has shipped')}`);
    await page.frameLocator('iframe').getByText('It is on its way').waitFor();
    const way = page.locator('.timeline > li .title');
    expect(await way.allInnerTexts()).toEqual([
      'Created',
      'Accepted by the relay',
      expect.stringMatching(/^Accepted by the provider through 127\.0\.0\.1:\d+$/),
      'Sent: the provider accepted it',
    ]);
    await page
      .getByText(/^250 .*queued as/)
      .first()
      .waitFor();
    await keepScreenshot(page, 'email');
    await page.context().close();
  });

  test('finds an email while one types, keeps the search in the address, and opens it by keyboard', async () => {
    const page = await open('/');
    await page.keyboard.press('/');
    await page.getByRole('heading', { name: 'Emails' }).waitFor();
    await page.keyboard.press('/');
    const searched = () => new URL(page.url()).searchParams.get('text');
    await page.keyboard.type('evil');
    await until(() => searched() === 'evil');
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    await page.keyboard.type(' ord');
    await until(() => searched() === 'evil ord');
    await until(async () => (await page.locator('tbody tr').count()) === 1);
    await page.keyboard.press('Tab');
    await page.locator('a.subject').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Evil order' }).waitFor();
    await page.goBack();
    await until(async () => (await page.getByRole('searchbox').inputValue()) === 'evil ord');
    await page.context().close();
  });

  test('a key that is pressed in the moment in which the page can be seen counts', async () => {
    const page = await openPage(browser, { storageState: signedIn });
    // Before the frame in which it is painted, as on a machine that is busy.
    await page.addInitScript(`new MutationObserver((_, observer) => {
      if (!document.querySelector('nav')) return;
      observer.disconnect();
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true }));
    }).observe(document, { childList: true, subtree: true })`);
    await page.goto(stack.api.url);
    await page.getByRole('heading', { name: 'Emails' }).waitFor();
    await page.context().close();
  });

  test('what was typed on a page that has gone changes nothing on the next', async () => {
    const page = await open('/emails');
    const field = page.getByRole('searchbox');
    await field.focus();
    await page.clock.install();
    await page.evaluate(`{
      const field = document.activeElement;
      field.value = 'evil';
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      document.querySelector('nav a[href="/keys"]').click();
    }`);
    await page.clock.runFor(1_000);
    await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe('');
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });

  test('shows new mail by itself, also after the api was away', async () => {
    const page = await open('/emails?text=sudden');
    await page.getByText('No emails match').waitFor();
    await send(stack, { subject: 'Sudden one' });
    await page.getByRole('link', { name: 'Sudden one' }).waitFor();

    await stack.api.process.stop();
    await page.getByText('Connecting').waitFor();
    await stack.api.start();
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 30_000 });
    await send(stack, { subject: 'Sudden two' });
    await page.getByRole('link', { name: 'Sudden two' }).waitFor();
    await page.context().close();
  }, 60_000);

  test('cancels everything a search finds, after saying how much that is', async () => {
    const page = await open('/emails?text=reminder&statuses=pending');
    await page.locator('tbody tr').first().waitFor();
    const before = await page.locator('tbody tr').count();
    await page
      .getByRole('group', { name: 'Actions on several emails' })
      .getByRole('button', { name: 'Cancel' })
      .click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`Cancel: ${before} emails`).waitFor();
    await dialog.getByRole('button', { name: `Cancel ${before}` }).click();
    // The list is empty, and what was done stays to be read.
    await page.getByText('No emails match').waitFor();
    await dialog.getByText(`${before} done`).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.context().close();
  });

  test('moves a scheduled mail in its own time zone, and sends another now', async () => {
    await schedule(stack, 'Move me', 'America/New_York');
    await schedule(stack, 'Now please', 'UTC');
    const page = await open('/scheduled');
    const row = page.getByRole('row', { name: /Move me/ });
    await row.getByRole('button', { name: 'Move' }).click();
    await page.getByLabel('Local time').fill('2031-03-09T02:30');
    await page.getByRole('dialog').getByRole('button', { name: 'Move', exact: true }).click();
    // That time does not exist there: the clocks go from two to three.
    await row.getByText('2031-03-09 07:00 UTC').waitFor();

    const other = page.getByRole('row', { name: /Now please/ });
    await other.getByRole('button', { name: 'Send now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send now' }).click();
    await other.waitFor({ state: 'detached' });
    await until(() => stack.provider.messages.some(({ raw }) => raw.includes('Now please')));
    await page.context().close();
  });

  test('approves an application, and leads out of the refusal to delete it', async () => {
    const page = await open('/applications');
    await page.getByRole('link', { name: 'Example Bakery' }).click();
    const dialog = page.getByRole('dialog', { name: 'Example Bakery' });
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByText('approved').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page
      .getByRole('dialog', { name: /Delete the application/ })
      .getByRole('button', { name: 'Delete' })
      .click();
    await dialog.getByText('has a customer account').waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await keepScreenshot(page, 'way-out');
    await dialog.getByRole('button', { name: 'Delete both' }).click();
    await page.getByRole('dialog', { name: 'Really?' }).getByRole('button', { name: 'Delete' }).click();
    await until(async () => (await page.getByRole('dialog').count()) === 0);
    expect(
      (await stack.database.query("select 1 from customer where name = 'Example Bakery'")).rowCount,
    ).toBe(0);
    await page.context().close();
  });

  test('sends a test mail and shows its stages as they come', async () => {
    const page = await open('/diagnosis');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    const outcome = page.locator('.outcome');
    await outcome.waitFor({ timeout: 40_000 });
    expect(await outcome.innerText()).toContain('Sent. The provider said: 250');
    expect(await page.locator('.stages li').count()).toBeGreaterThan(3);
    expect(await faultsOf(page)).toEqual([]);
    await page.context().close();
  });

  test('runs the doctor in the relay, and shows each stage on the way when it comes', async () => {
    const page = await open('/diagnosis');
    // Until it was seen waiting, which is well within the doctor's patience.
    const seen = Promise.withResolvers<undefined>();
    stack.provider.on('greeting', () => seen.promise, { times: 2 });
    const doctor = page.getByRole('region', { name: 'The doctor' });
    await doctor.getByRole('button', { name: 'Run the doctor' }).click();
    const greeting = doctor.getByRole('listitem').filter({ hasText: 'greeting' }).first();
    const tcp = doctor.getByRole('listitem').filter({ hasText: 'tcp' }).first();
    await tcp.getByText('connected to 127.0.0.1').waitFor();
    await greeting.getByText('…').waitFor();
    seen.resolve(undefined);
    await doctor.getByText('Mail can leave through').waitFor();
    expect(await greeting.innerText()).toContain('220');
    expect(await faultsOf(page)).toEqual([]);
    await keepScreenshot(page, 'doctor');

    stack.provider.users.set(stack.provider.user, 'changed meanwhile');
    await doctor.getByRole('button', { name: 'Run the doctor' }).click();
    await doctor.getByText('Do this:').waitFor();
    await doctor.getByRole('listitem').filter({ hasText: 'auth' }).getByText('535').first().waitFor();
    const tried = stack.provider.authAttempts.length;
    await doctor.getByRole('button', { name: 'Run the doctor' }).click();
    await doctor.getByText('Not tried again within 60 s').first().waitFor();
    expect(stack.provider.authAttempts).toHaveLength(tried);
    await page.context().close();
  }, 60_000);

  test('tells on the overview how long the certificate of the provider is good', async () => {
    const page = await open('/');
    await page
      .getByText(/certificate valid for \d+ days?/)
      .first()
      .waitFor();
    await page.context().close();
  });

  test('says so when its script does not arrive', async () => {
    const page = await openPage(browser, { storageState: signedIn });
    await page.route(/\/main\.js$/, (route) => route.abort());
    await page.goto(stack.api.url);
    const words = page.getByText('This page is still loading. If it stays so, reload it.');
    // Not at once: on a usual line nobody should see it flash.
    expect(await words.isVisible()).toBe(false);
    await words.waitFor();
    await page.unroute(/\/main\.js$/);
    await page.reload();
    await page.getByRole('navigation', { name: 'Sections' }).waitFor();
    expect(await words.count()).toBe(0);
    await page.context().close();
  });

  test('makes a key that works, shows it once, and revokes it', async () => {
    const page = await open('/keys');
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByLabel('Name').fill('Shop backend');
    await page.getByRole('button', { name: 'Create the key' }).click();
    const secret = await page.locator('.secret').innerText();
    expect((await stack.api.get('/api/v1/emails', { key: secret })).status).toBe(200);
    await page.getByRole('button', { name: 'I have it' }).click();
    const row = page.getByRole('row', { name: /Shop backend/ });
    await row.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Recipients an hour').fill('500');
    await page.getByLabel('Tags').fill('app=shop');
    await page.getByRole('button', { name: 'Save' }).click();
    await row.getByText('0 of 500 recipients this hour').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await faultsOf(page)).toEqual([]);
    await row.getByRole('button', { name: 'New secret' }).click();
    await page.getByRole('button', { name: 'Make a new secret' }).click();
    const newSecret = await page.locator('.secret').innerText();
    const later = {
      to: 'ann@example.com',
      subject: 'Later',
      text: 'x',
      scheduled_datetime: '2031-03-01T09:00:00Z',
    };
    const { body: waits } = await stack.api.post('/api/v1/emails', later, { key: newSecret });
    await page.getByRole('button', { name: 'I have it' }).click();
    await row.getByText('old secret until').waitFor();
    await row.getByRole('button', { name: 'Revoke' }).click();
    await page.getByLabel('Also cancel what waits').check();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('revoked').waitFor();
    expect((await stack.api.get(`/api/v1/emails/${waits.id}`)).body).toMatchObject({
      status: 'cancelled',
      api_key: { name: 'Shop backend' },
      tags: [{ name: 'app', value: 'shop' }],
    });
    expect((await stack.api.get('/api/v1/emails', { key: secret })).status).toBe(401);
    await page.context().close();
  });
});

const send = async (stack: Stack, more: Record<string, unknown>) => {
  const { status, body } = await stack.api.post('/api/v1/emails', {
    to: 'Ann Example <ann@example.com>',
    subject: 'Your receipt for March',
    text: 'Thank you.',
    ...more,
  });
  if (status !== 202) throw new Error(JSON.stringify(body));
  return body;
};

const schedule = (stack: Stack, subject: string, timeZone: string) =>
  send(stack, { subject, scheduled_datetime: '2031-03-01T09:00:00', time_zone: timeZone });

const idOf = async (stack: Stack, subject: string): Promise<string> => {
  const { rows } = await stack.database.query('select id from email where subject = $1', [subject]);
  return (rows[0] as { id: string }).id;
};

/** A small company's day. */
async function fill(stack: Stack): Promise<void> {
  const people = ['Ann Baker', 'Ben Osei', 'Chiara Rossi', 'Dagny Berg', 'Emeka Obi'];
  for (const [index, name] of people.entries()) {
    const owner = { name, email: `${name.toLowerCase().replace(' ', '.')}@example.com` };
    const company = { name: `${name.split(' ')[1]} & Co`, email: `office${index}@example.com` };
    await stack.api.post('/api/customers', { ...company, owner, sendInvitation: true });
    await send(stack, { to: owner.email, subject: `Your order ${4710 + index} has shipped`, html: letter });
  }
  await send(stack, { subject: 'Evil order', html: evil, text: 'Thank you.' });
  for (let hours = 2; hours < 50; hours += 12) {
    await send(stack, {
      subject: `Reminder in ${hours} hours`,
      scheduled_datetime: new Date(Date.now() + hours * 3_600_000).toISOString(),
    });
  }
  for (const company of ['Example Bakery', 'Nordlicht Reisen']) {
    await stack.api.post('/api/onboarding/applications', {
      company,
      contact_name: 'Kim Example',
      email: `kim@${company.split(' ')[1]?.toLowerCase()}.example.com`,
      message: 'We send about 500 receipts a day.',
    });
  }
  stack.provider.on('rcpt', '550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown', {
    times: 1,
  });
  await send(stack, { to: 'nobody@example.com', subject: 'Password reset' });
  await until(async () => {
    const { rows } = await stack.database.query(
      'select count(*)::int as open from email where finished_at is null and due_at < now()',
    );
    return (rows[0] as { open: number }).open === 0;
  });
}

/** Until the page shows what it has loaded. */
async function settle(page: Page): Promise<void> {
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  await until(
    async () =>
      (await page.locator('[aria-busy=true]').count()) === 0 &&
      (await page.getByText('Loading …').count()) === 0,
  );
}

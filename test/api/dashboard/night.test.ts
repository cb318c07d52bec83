// A bad night, as an operator sees it: a sender is refused, a mailbox of somebody else is disabled, a mail is bad, then the
// password is wrong. After each repair everything that waited leaves, without a restart, and the page never says what is
// not true.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Moment } from '../../kit/provider.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';

const shop = 'shop@example.com';
const isFromShop = ({ command }: Moment) => command.includes(`<${shop}>`);
const isTo =
  (address: string) =>
  ({ recipient }: Moment) =>
    recipient === address;

/** What the relay learns is in its next heartbeat, and on the page right after that. */
const soonMs = 20_000;
const repairedMs = 60_000;

describe.skipIf(!hasChromium)('a bad night', () => {
  let stack: Stack;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let page: Page;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([
      startStack({
        api: { ADMIN_PASSWORD: adminPassword },
        relay: { SMTP_ALLOWED_SENDERS: `mailer@example.com,${shop}` },
      }),
      openBrowser(),
    ]);
    page = await openPage(browser);
    await signIn(page, stack.api.url);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  const send = async (
    subject: string,
    { from, to = 'ann@example.org' }: { from?: string; to?: string } = {},
  ) => {
    const { status, body } = await stack.api.post('/api/v1/emails', {
      to: [to],
      subject,
      text: 'Hello',
      ...(from !== undefined && { from }),
    });
    expect(status).toBe(202);
    return body.id as string;
  };
  const statusOf = async (id: string): Promise<string> =>
    (await stack.api.get(`/api/v1/emails/${id}`)).body.status;
  const is = (ids: readonly string[], status: string, timeoutMs = 20_000) =>
    until(async () => (await Promise.all(ids.map(statusOf))).every((each) => each === status), {
      what: `all to be ${status}`,
      timeoutMs,
    });
  const verdict = () => page.locator('section.verdict').innerText();
  const says = (wanted: RegExp, timeoutMs = soonMs) =>
    until(async () => wanted.test(await verdict()), { what: `the page to say ${wanted}`, timeoutMs });
  /** Looks at the page while `work` goes on: none of these sentences is true meanwhile. */
  const withoutA = async (lie: RegExp, work: () => Promise<unknown>) => {
    let over = false;
    const lies: string[] = [];
    const watching = (async () => {
      while (!over) {
        const text = await verdict();
        if (lie.test(text)) lies.push(text);
        await page.waitForTimeout(100);
      }
    })();
    try {
      await work();
    } finally {
      over = true;
      await watching;
    }
    expect(lies).toEqual([]);
  };

  test('one sender is refused: its mail alone waits, and "Try again" after the repair frees all of it', async () => {
    await says(/^Mail (can leave|is leaving)/);
    const rule = stack.provider.on('mail', `550 5.7.60 <${shop}>: not permitted to send as this sender`, {
      when: isFromShop,
    });
    await withoutA(/cannot leave/, async () => {
      const held = [];
      for (let each = 0; each < 12; each++) held.push(await send(`Order ${each}`, { from: shop }));
      await is(held, 'held');
      await is([await send('Welcome')], 'sent');
      await says(/^Mail from shop@example\.com is held/);
      await says(/Mail from other senders leaves\.[\s\S]*Next attempt in \d+/);
      await keepScreenshot(page, 'night-sender');

      // Tried again too early: it is held again within seconds, with what the provider said to it.
      const [first = ''] = held;
      const refusals = rule.hits;
      await stack.api.post(`/api/v1/emails/${first}/retry`);
      await until(() => rule.hits > refusals, { what: 'the provider to be asked', timeoutMs: 15_000 });
      await is([first], 'held', 15_000);

      rule.remove();
      await stack.api.post(`/api/v1/emails/${first}/retry`);
      await is(held, 'sent', 30_000);
      await says(/^Mail is leaving/);
      expect(await verdict()).not.toContain('held');
    });
  }, 120_000);

  test("a mailbox of somebody else and a bad mail stop nobody's mail", async () => {
    stack.provider.on('rcpt', '550 5.2.1 <old@example.org>: This account has been disabled', {
      when: isTo('old@example.org'),
    });
    stack.provider.on('dot', "550 5.6.0 Duplicate header 'DKIM-Signature'", {
      times: 1,
      when: ({ envelope }) => envelope.recipients.includes('bad@example.org'),
    });
    await withoutA(/cannot leave|is held/, async () => {
      await is([await send('To a closed mailbox', { to: 'old@example.org' })], 'bounced');
      const bad = await send('A bad mail', { to: 'bad@example.org' });
      await until(async () => ['bounced', 'deferred'].includes(await statusOf(bad)), {
        what: 'the bad mail to end',
      });
      await is([await send('Welcome again')], 'sent');
      await says(/^Mail is leaving/);
    });
    stack.provider.behave();
  }, 60_000);

  test('the password is wrong: all mail waits, and after the repair all of it leaves', async () => {
    const { user, password } = stack.provider;
    stack.provider.users.set(user, 'changed by somebody');
    stack.provider.hangUp();
    const waiting: string[] = [];
    for (let each = 0; each < 10; each++) waiting.push(await send(`Invoice ${each}`));
    await says(/^Mail cannot leave: user name or password is wrong/i, 20_000);
    await withoutA(/Mail (can leave|is leaving)|other senders leaves/, async () => {
      await is(waiting, 'queued');
      await page.waitForTimeout(1_000);
      await says(/Next attempt in \d+/);
      await keepScreenshot(page, 'night-password');
    });

    stack.provider.users.set(user, password);
    const repairedAt = performance.now();
    await stack.api.post(`/api/v1/emails/${waiting[0]}/retry`);
    await is(waiting, 'sent', repairedMs);
    expect(performance.now() - repairedAt).toBeLessThan(repairedMs);
    await says(/^Mail is leaving/);
  }, 150_000);
});

// An operator at night, with a phone: the provider's limit is reached while 5,000 emails wait, then the password is wrong,
// then one sender is refused. The page says what is wrong and what is only to be waited for, one press acts for a whole
// group, and what waited is seen to leave.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import type { EmailDraft } from '../../../relay/client/email/draft.ts';
import { insertEmails } from '../../../relay/client/email/insert.ts';
import type { Moment } from '../../kit/provider.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { adminPassword, hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';

const shop = 'shop@example.com';
const isFromShop = ({ command }: Moment) => command.includes(`<${shop}>`);
const many = 5_000;

test.skipIf(!hasChromium)(
  'an operator with a phone gets a bad night in order',
  { timeout: 240_000 },
  async () => {
    await using stack = await startStack({
      provider: { keepBytes: 0 },
      api: { ADMIN_PASSWORD: adminPassword },
      relay: { SMTP_ALLOWED_SENDERS: `mailer@example.com,${shop}`, LOG_LEVEL: 'warn' },
      worker: { WORKER_POLL_INTERVAL: '1s', LOG_LEVEL: 'warn' },
    });
    await using browser = await openBrowser();
    const { provider } = stack;
    const page = await openPage(browser, {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
    const verdict = page.locator('section.verdict');
    const says = (wanted: RegExp) =>
      until(async () => wanted.test(await verdict.innerText()), {
        what: `the page to say ${wanted}`,
        timeoutMs: 90_000,
      });
    const isFine = async (name: string) => {
      expect(await faultsOf(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      await keepScreenshot(page, `operator-${name}`);
    };
    const tile = (name: string) =>
      page.getByRole('region', { name: 'Mail by status' }).getByRole('link', { name });
    const count = async (name: string) =>
      Number((await tile(name).locator('.number').innerText()).replace(/\D/g, ''));

    const limit = provider.on('mail', '550 5.4.5 Daily user sending limit exceeded');
    await insertMany(stack);
    await signIn(page, stack.api.url);
    await says(/Mail is paused: the day's sending limit is reached/);
    await says(/No action is needed: mail is kept and sent later/);
    await says(/5,000 emails wait; nothing is lost/);
    await isFine('limit');

    // The day is over, and in the meantime somebody has changed the password.
    provider.users.set(provider.user, 'changed by somebody');
    limit.remove();
    provider.hangUp();
    await stack.database.query('update lane set next_probe_at = now()');
    await says(/Mail cannot leave: user name or password is wrong/);
    await says(/5,000 emails wait; nothing is lost/);
    await isFine('password');

    // Repaired at the provider: asked at once, all of it leaves, and the page shows it going down. The relay would not
    // try by itself for an hour.
    await stack.database.query(`update lane set next_probe_at = now() + interval '1 hour'`);
    provider.users.set(provider.user, provider.password);
    await verdict.getByRole('button', { name: 'Try now' }).click();
    await until(async () => provider.messages.length > 0, { what: 'the first to leave', timeoutMs: 60_000 });
    await says(/^Mail is leaving/);
    await until(async () => (await count('Queued')) < many && (await count('Sent')) > 0, {
      what: 'the queue to shrink',
    });
    await until(async () => (await count('Sent')) === many && (await count('Queued')) === 0, {
      what: 'all to be sent',
      timeoutMs: 120_000,
    });
    expect(new Set(provider.messages.map(({ envelope }) => envelope.recipients.join())).size).toBe(many);
    expect(provider.messages).toHaveLength(many);

    // One sender is refused: its mail waits as one group, with one button.
    const refusal = provider.on(
      'mail',
      '550 5.7.60 Client does not have permissions to send as this sender',
      {
        when: isFromShop,
      },
    );
    for (let order = 1; order <= 12; order++)
      await stack.api.post('/api/v1/emails', {
        from: shop,
        to: 'ann@example.org',
        subject: `Order ${order}`,
        text: 'Hello',
      });
    await says(/^Mail from shop@example\.com is held/);
    await says(/Mail from other senders leaves/);
    const group = page.getByRole('listitem').filter({ hasText: '12 emails' });
    await group.waitFor();
    await isFine('sender');

    await group.getByRole('button', { name: /^Try again/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Try again 12' }).waitFor();
    refusal.remove();
    await dialog.getByRole('button', { name: /^Try again/ }).click();
    await dialog.getByText(/1?\d done/).waitFor();
    await isFine('group');
    await until(() => provider.messages.length === many + 12, { what: 'the orders to leave' });
    await says(/^Mail is leaving/);
    await group.waitFor({ state: 'detached' });
    // The last group has gone; what was done stays to be read.
    await dialog.getByText(/1?\d done/).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await isFine('over');
    expect(page.complaints).toEqual([]);
  },
);

/** Due now; the worker hands them over. */
async function insertMany({ database }: Stack): Promise<void> {
  const drafts = Array.from(
    { length: many },
    (_, n): EmailDraft => ({
      kind: 'single',
      from: { address: 'mailer@example.com' },
      recipients: [{ kind: 'to', address: `person${n}@example.org` }],
      subject: `Your receipt ${n}`,
      text: 'Thank you.',
      dueAt: new Date(),
    }),
  );
  await using own = openDatabase({ url: database.url, applicationName: 'test', max: 1 });
  await own.transaction((tx) => insertEmails(tx, drafts));
}

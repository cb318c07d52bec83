// From the overview alone, a newcomer finds why mail does not leave and what to do about it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stack, type StackWishes, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';

const ask = { to: 'ann@example.com', subject: 'Your receipt', text: 'Thank you.' };

type Cause = {
  readonly name: string;
  readonly wishes: StackWishes;
  readonly stage?: (stack: Stack) => void | Promise<void>;
  /** What the first heading says, and the advice below it. */
  readonly title: RegExp;
  readonly advice: RegExp;
};

const impatient = { SMTP_TIMEOUT: '2' };
const noFailover = { SMTP_FAILOVER_PORT: '', SMTP_FAILOVER_TLS_MODE: '' };

const causes: Cause[] = [
  {
    name: 'nothing is configured',
    wishes: { provider: false, relay: { SMTP_FROM_EMAIL: '' } },
    title: /cannot leave: SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL are missing/,
    advice: /Set the missing variables .* not only in \.env/,
  },
  {
    name: 'the password is wrong',
    wishes: { relay: { SMTP_PASSWORD: 'not-the-password', ...impatient } },
    title: /cannot leave: .*(user name or password|password|sign-in|credentials)/i,
    advice: /SMTP_PASSWORD/,
  },
  {
    name: 'the port holds a quoted value',
    wishes: { relay: { SMTP_PORT: '"465"' } },
    title: /cannot leave: .*quot/i,
    advice: /quotes/,
  },
  {
    name: 'nobody listens there',
    wishes: {
      relay: { SMTP_PORT: '1', SMTP_TLS_MODE: 'implicit', SMTP_FAILOVER: 'off', ...noFailover, ...impatient },
    },
    title: /cannot leave: mail goes to this machine instead of the provider/,
    advice: /Set SMTP_HOST to the provider's name/,
  },
  {
    name: 'the provider does not let this sender',
    wishes: {},
    stage: ({ provider }) => {
      provider.on('mail', '550 5.7.60 SMTP; Client does not have permissions to send as this sender');
    },
    title: /(held|cannot leave): .*(sender|From|send as)/i,
    advice: /SMTP_FROM_EMAIL|sender/,
  },
];

describe.skipIf(!hasChromium)('the overview says why mail does not leave', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  test.each(causes)('when $name', { timeout: 60_000 }, async ({ name, wishes, stage, title, advice }) => {
    await using stack = await startStack({ ...wishes, api: { ADMIN_PASSWORD: adminPassword } });
    await stage?.(stack);
    const { status, body } = await stack.api.post('/api/v1/emails', ask);
    expect(status).toBe(202);

    const page = await openPage(browser);
    await signIn(page, stack.api.url);
    const verdict = page.locator('.verdict');
    await until(async () => title.test(await verdict.locator('h1').innerText()), { timeoutMs: 25_000 }).catch(
      async () => {
        throw new Error(
          `It says: ${await verdict.innerText()}\n${JSON.stringify((await stack.api.get('/api/v1/test-email/config')).body)}`,
        );
      },
    );
    // The advice follows when the relay has told its words; until then only the cause is known.
    await until(async () => advice.test(await verdict.innerText()), { what: `advice like ${advice}` });
    await keepScreenshot(page, `cause-${name.replaceAll(' ', '-')}`);

    // And the mail itself says the same, or waits for the way out that the overview speaks of.
    await page.goto(`${stack.api.url}/emails/${body.id}`);
    await page.getByRole('heading', { name: ask.subject }).waitFor();
    await keepScreenshot(page, `mail-${name.replaceAll(' ', '-')}`);
    await page.context().close();
  });
});

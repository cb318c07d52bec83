// A developer who has just installed Postern, and mail does not leave. The page alone says why, three times over: nothing is
// set, the password is wrong, the port is blocked. Each time the developer does what it says; then the mail leaves by
// itself, and can be looked at as its recipient will.
import { expect, test } from 'vitest';
import { startStack } from '../../kit/stack.ts';
import { blackHole } from '../../kit/strangers.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { adminPassword, hasChromium, openBrowser, openPage, signIn } from './chromium.ts';

const blank = {
  SMTP_HOST: '',
  SMTP_PORT: '',
  SMTP_TLS_MODE: '',
  SMTP_USER: '',
  SMTP_PASSWORD: '',
  SMTP_FROM_EMAIL: '',
};
const noFailover = { SMTP_FAILOVER: 'off', SMTP_FAILOVER_PORT: '', SMTP_FAILOVER_TLS_MODE: '' };

const letter = `<h1>Hello Ann</h1><p>It works. <a href="https://app.example.com/start">Start here</a></p>
  <img src="https://pictures.example.com/logo.png" alt="Example Ltd">`;

test.skipIf(!hasChromium)('a developer finds out why mail does not leave', { timeout: 120_000 }, async () => {
  await using stack = await startStack({
    api: { ADMIN_PASSWORD: adminPassword },
    relay: { ...blank, ...noFailover, SMTP_TIMEOUT: '2' },
  });
  await using browser = await openBrowser();
  await using hole = await blackHole();
  const page = await openPage(browser);
  const verdict = page.locator('section.verdict');
  const says = (title: RegExp) =>
    until(async () => title.test(await verdict.locator('.headline').innerText()), {
      what: `the page to say ${title}`,
      timeoutMs: 40_000,
    });
  const advises = (advice: RegExp) => until(async () => advice.test(await verdict.innerText()));
  const isFine = async () => expect(await faultsOf(page)).toEqual([]);
  const restartRelay = async (environment: Record<string, string>) => {
    await stack.relay.process.stop();
    await stack.relay.start(environment);
  };

  await signIn(page, stack.api.url);
  await says(/cannot leave: SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL are missing/);
  await advises(/Set the missing variables in your deployment platform's environment, not only in \.env/);
  await isFine();

  const { status } = await stack.api.post('/api/v1/emails', {
    to: 'Ann Example <ann@example.org>',
    subject: 'Welcome to Example Ltd',
    html: letter,
    text: 'Hello Ann',
  });
  expect(status).toBe(202);
  await page.getByRole('link', { name: 'Emails', exact: true }).click();
  await page.getByRole('link', { name: 'Welcome to Example Ltd' }).click();
  const now = page.locator('section.now');
  await now.getByText('Mail is kept until a provider is configured.').waitFor();
  await now.getByText('Nothing is lost').waitFor();
  await isFine();

  // As the page said, but with a password that was typed wrongly.
  const { SMTP_PORT: port = '', ...rest } = stack.provider.environment();
  const settings = { ...rest, ...noFailover, SMTP_PORT: port };
  await restartRelay({ ...settings, SMTP_PASSWORD: 'correct-horse-batery' });
  await now.getByText('Waits until mail can leave. Nothing is lost.').waitFor();
  await page.getByRole('link', { name: 'What to do about it' }).click();
  await says(/cannot leave: user name or password is wrong/);
  await advises(/Set SMTP_USER .* and SMTP_PASSWORD again/);
  await advises(/535 5\.7\.8/);
  await isFine();

  // The right password, and a port that the platform blocks.
  await restartRelay({ ...settings, SMTP_PORT: String(hole.port) });
  await says(/cannot leave: nobody answers: the port is probably blocked/);
  await advises(/Try the other of 465 and 587 in SMTP_PORT/);
  await page.getByRole('link', { name: 'Diagnosis' }).click();
  const doctor = page.getByRole('region', { name: 'The doctor' });
  await doctor.getByRole('button', { name: 'Run the doctor' }).click();
  await doctor.getByText('Do this:').waitFor();
  await doctor.getByRole('listitem').filter({ hasText: 'tcp' }).getByText('timeout').first().waitFor();
  await isFine();

  // The other port: what waited leaves by itself.
  await restartRelay(settings);
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await says(/^Mail is leaving/);
  await page.getByRole('link', { name: 'Emails', exact: true }).click();
  await page.getByRole('link', { name: 'Welcome to Example Ltd' }).click();
  await now.getByText('The provider accepted it').waitFor();
  expect(stack.provider.messages).toHaveLength(1);

  const frame = page.frameLocator('iframe');
  await frame.getByRole('heading', { name: 'Hello Ann' }).waitFor();
  await page.getByText('1 remote resource not loaded').waitFor();
  const width = async () => (await page.locator('iframe').boundingBox())?.width ?? 0;
  const desktop = await width();
  await page.getByRole('button', { name: 'Phone' }).click();
  await until(async () => (await width()) < desktop);
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await frame.getByRole('heading', { name: 'Hello Ann' }).waitFor();
  await page.getByRole('tab', { name: 'Links' }).click();
  await page.getByRole('tabpanel').getByText('https://app.example.com/start').waitFor();
  await isFine();
  // What the mail wanted to load is told in the console, as blocked.
  expect(page.complaints.filter((complaint) => !/Content Security Policy/.test(complaint))).toEqual([]);
});

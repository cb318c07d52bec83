// Named users in a real browser: the first sign-in, what a role sees, and who did what.
import { Events, OAuth2Server } from 'oauth2-mock-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { insertEmail } from '../../../relay/client/email/insert.ts';
import { faultsOf } from '../dashboard/axe.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn } from '../dashboard/chromium.ts';
import { type Dashboard, startDashboard } from '../dashboard/dashboard.ts';

describe.skipIf(!hasChromium)('people in a browser', () => {
  let dashboard: Dashboard;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    [dashboard, browser] = await Promise.all([startDashboard({ unlimited: true }), openBrowser()]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await dashboard?.[Symbol.asyncDispose]();
  });

  test('an admin creates a user, who changes the password, sees the role, and is listed for what was done', async () => {
    const { id } = await dashboard.database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'single',
        from: { address: 'hello@example.com' },
        recipients: [{ kind: 'to', address: 'ann@example.com' }],
        subject: 'Your order',
        text: 'Xylophone',
        dueAt: new Date(Date.now() + 3_600_000),
      }),
    );
    const admin = await openPage(browser);
    await signIn(admin, dashboard.base, '/people');
    const create = async (name: string, role: string) => {
      await admin.getByRole('button', { name: 'New user' }).click();
      await admin.getByLabel('Name').fill(name);
      await admin.getByRole('radio', { name: role }).check();
      await admin.getByRole('button', { name: 'Create the user' }).click();
      const password = await admin.locator('.secret').innerText();
      await admin.getByRole('button', { name: 'I have it' }).click();
      await admin.getByRole('row', { name }).getByText(role.toLowerCase(), { exact: true }).waitFor();
      return password;
    };
    const password = await create('olga', 'Operate');
    const looker = await create('vera', 'View');
    expect(await faultsOf(admin)).toEqual([]);
    await keepScreenshot(admin, 'people');

    const olga = await openPage(browser, { viewport: { width: 360, height: 740 } });
    const come = async (page: typeof olga, name: string, given: string) => {
      await page.goto(`${dashboard.base}/emails/${id}`);
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('Password').fill(given);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('dialog', { name: 'Change your password' }).waitFor();
    };
    await come(olga, 'olga', password);
    await olga.getByLabel('The password you have').fill(password);
    await olga.getByLabel('The new one').fill('a better pass phrase');
    await olga.getByRole('button', { name: 'Change it' }).click();
    await olga.getByRole('dialog', { name: 'Password changed' }).getByRole('button').click();
    await olga.getByRole('button', { name: 'Hold' }).click();
    await olga.getByRole('button', { name: 'Release' }).waitFor();
    expect(olga.complaints).toEqual([]);

    const vera = await openPage(browser);
    await come(vera, 'vera', looker);
    await vera.getByRole('button', { name: 'Back' }).click();
    await vera.getByText('What an email says is not shown to your role.').waitFor();
    expect(await vera.getByRole('button', { name: 'Release' }).count()).toBe(0);
    const sections = vera.getByRole('navigation', { name: 'Sections' });
    expect(await sections.getByRole('link', { name: 'Keys' }).count()).toBe(0);
    await sections.getByText('vera, view').waitFor();
    expect(await faultsOf(vera)).toEqual([]);
    for (const path of ['/diagnosis', '/suppressions', '/customers', '/scheduled', '/emails', '/']) {
      await vera.goto(dashboard.base + path);
      await vera.getByRole('heading', { level: 1 }).waitFor();
      await vera.waitForLoadState('load');
    }
    await vera.goto(`${dashboard.base}/keys`);
    await vera.getByText('Your role is view; this needs admin.').waitFor();
    expect(vera.complaints).toEqual([]);

    await admin.goto(`${dashboard.base}/audit`);
    const row = admin.getByRole('row', { name: /olga/ }).filter({ hasText: 'Hold email' });
    await row.getByText('paused: false → true').waitFor();
    expect(await faultsOf(admin)).toEqual([]);
    await admin.setViewportSize({ width: 360, height: 740 });
    expect(await admin.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await admin.setViewportSize({ width: 1280, height: 800 });
    await admin.goto(`${dashboard.base}/people`);
    await admin.getByRole('row', { name: 'vera' }).getByRole('button', { name: 'Disable' }).click();
    await admin.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    // Her page is open, and hears of it.
    await vera.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(admin.complaints).toEqual([]);
  }, 60_000);

  test('somebody comes from an identity provider of another site, and is signed in at once', async () => {
    const server = new OAuth2Server();
    await server.issuer.keys.generate('RS256');
    await server.start(0, 'localhost');
    let nonce: string | null = null;
    server.service.on(Events.BeforeAuthorizeRedirect, (_redirect, request) => {
      nonce = new URL(request.url ?? '', 'http://localhost').searchParams.get('nonce');
    });
    server.service.on(Events.BeforeTokenSigning, ({ payload }) => {
      Object.assign(payload, { nonce, sub: 'ida-1', aud: 'postern', name: 'Ida', groups: ['ops'] });
    });
    const oidc = {
      issuer: server.issuer.url ?? '',
      clientId: 'postern',
      clientSecret: 'invented for this test',
      scopes: 'openid',
      roleClaim: 'groups',
      roles: [{ role: 'operate', value: 'ops' } as const],
      defaultRole: undefined,
    };
    await using own = await startDashboard({ unlimited: true, oidc });
    const page = await openPage(browser);
    await page.goto(`${own.base}/suppressions`);
    await page.getByRole('link', { name: 'Sign in with your organisation' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.getByRole('link', { name: 'Sign in with your organisation' }).click();
    await page.getByRole('heading', { name: 'Suppressions' }).waitFor();
    await page.getByText('Ida, operate').waitFor();
    expect(new URL(page.url()).pathname).toBe('/suppressions');
    expect(page.complaints).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in with your organisation' }).waitFor();
    await page.context().close();
    await server.stop();
  }, 60_000);
});

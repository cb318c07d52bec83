// A real browser for the tests of the dashboard: Debian's Chromium, which .ci/run installs, or the one that
// CHROMIUM names. Where there is none, those tests are skipped and say so.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const executable = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

export const hasChromium = executable !== undefined;
if (!hasChromium) console.info('Skipping the tests in a browser: there is no Chromium here.');

export const plainHost = 'postern.test';

export async function openBrowser(): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({
    executablePath: executable ?? '',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // A page of that host comes over plain HTTP as from another machine: browsers trust 127.0.0.1 more than that.
      `--host-resolver-rules=MAP ${plainHost} 127.0.0.1`,
    ],
  });
  return browser;
}

export const adminPassword = 'open sesame';

/** Whatever the page complained about that it should not have to: errors in scripts, blocked and failed loads. */
export type Watched = Page & { readonly complaints: string[]; readonly requested: Set<string> };

/** A page that nobody has signed in to, in a context of its own. */
export async function openPage(
  browser: Browser,
  wishes: Parameters<Browser['newContext']>[0] = {},
): Promise<Watched> {
  const context: BrowserContext = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    viewport: { width: 1280, height: 800 },
    ...wishes,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requested = new Set<string>();
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => requested.add(new URL(request.url()).origin));
  page.setDefaultTimeout(20_000);
  return Object.assign(page, { complaints, requested });
}

/** Signs in by the form, as a person does, and waits for the page behind it. */
export async function signIn(page: Page, url: string, path = '/'): Promise<void> {
  await page.goto(url + path);
  await page.getByLabel('Password').fill(adminPassword);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Sections' }).waitFor();
}

/** To look at what a test saw: kept only when SCREENSHOTS is set, so that a test run leaves no traces. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  await page.screenshot({
    path: join(import.meta.dirname, 'screenshots', `${name}.png`),
    animations: 'disabled',
  });
}

// node test/api/dashboard/screenshots/take.ts DIRECTORY [page …]: pictures of every page of the dashboard with the mail of
// an invented shop, in light, in dark and on a phone, to be looked at one by one. With --readme in place of the directory:
// the three small ones that README shows. It needs Chromium.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { createTemplate, freshDatabase } from '../../../kit/database.ts';
import { startPostgres, wishesOf } from '../../../kit/postgres.ts';
import { type Stack, startStack } from '../../../kit/stack.ts';
import { until } from '../../../kit/until.ts';
import { adminPassword, openBrowser, openPage, signIn, type Watched } from '../chromium.ts';
import { fillShop, senders } from './shop.ts';

const [directory, ...wanted] = process.argv.slice(2);
if (directory === undefined) {
  console.error('Name a directory for the pictures, or --readme.');
  process.exit(64);
}

const looks = {
  light: { viewport: { width: 1280, height: 800 } },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
} as const;

const pathOf = async ({ database, api }: Stack): Promise<Record<string, string>> => {
  const one = async (text: string) => (await database.query<{ id: string }>(text)).rows[0]?.id ?? 'none';
  const email = (where: string) => one(`select id from email where ${where} order by id desc limit 1`);
  const webhook = (await api.get('/api/v1/webhooks')).body.data[0]?.id;
  return {
    overview: '/',
    emails: '/emails',
    'emails-filtered': '/emails?text=booking&statuses=sent&source=api',
    'emails-none': '/emails?text=xylophone',
    email: `/emails/${await email("subject like 'Your table%'")}`,
    'email-to-many': `/emails/${await email("subject = 'Plan of the week'")}`,
    'email-bounced': `/emails/${await email("status = 'bounced'")}`,
    'email-held': `/emails/${await email("status = 'held'")}`,
    'email-deferred': `/emails/${await email("status = 'deferred'")}`,
    'email-uncertain': `/emails/${await email("status = 'uncertain'")}`,
    'email-pending': `/emails/${await email("status = 'pending'")}`,
    submitted: `/submitted/${await one('select queue_id as id from message where email_id is null limit 1')}`,
    scheduled: '/scheduled',
    client: '/scheduled/riverside-yoga',
    customers: '/customers',
    customer: `/customers/${await one("select id from customer where name = 'Riverside Yoga'")}`,
    applications: '/applications',
    suppressions: '/suppressions',
    refusals: '/refusals',
    webhooks: '/webhooks',
    webhook: `/webhooks/${webhook}`,
    diagnosis: '/diagnosis',
    keys: '/keys',
    people: '/people',
    audit: '/audit',
    'not-found': '/nowhere',
  };
};

async function settle(page: Watched): Promise<void> {
  await until(
    async () =>
      (await page.locator('h1').count()) > 0 &&
      (await page.locator('[aria-busy=true]').count()) === 0 &&
      (await page.getByText('Loading …').count()) === 0,
  );
  await page.waitForLoadState('load');
  // The preview of a mail is a document of its own.
  await Promise.all(page.frames().map((frame) => frame.waitForLoadState('load')));
  await until(async () => (await page.locator('.side .links .dot.quiet').count()) === 0);
  // What the parts of a page ask for makes it taller.
  const height = () => page.evaluate<number>('document.documentElement.scrollHeight');
  for (let same = 0, last = 0; same < 5; ) {
    await page.evaluate('new Promise((done) => requestIdleCallback(() => setTimeout(done, 60)))');
    const now = await height();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

/** All of the page: in a window as tall as it, because a preview that is scrolled to is not painted in time. */
async function keep(page: Watched, name: string, viewport: { width: number; height: number }): Promise<void> {
  const height = await page.evaluate<number>('document.documentElement.scrollHeight');
  await page.setViewportSize({ ...viewport, height: Math.max(height, viewport.height) });
  await settle(page);
  await page.evaluate(nameProvider);
  await page.screenshot({ path: join(directory ?? '', `${name}.png`), animations: 'disabled' });
  await page.setViewportSize(viewport);
}

// Pictures are of no use to anybody with the ports of this machine.
const nameProvider = `(() => {
  document.body.normalize();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ports = [...new Set(document.body.innerText.match(/127\\.0\\.0\\.1:\\d+/g) ?? [])];
  while (texts.nextNode()) {
    const { currentNode: text } = texts;
    const named = text.data.replace(/127\\.0\\.0\\.1:(\\d+)/g, (found) => 'smtp.example.net:' + (ports.indexOf(found) === 1 ? 587 : 465))
      .replace(/127\\.0\\.0\\.1/g, 'smtp.example.net');
    if (named !== text.data) text.data = named;
  }
})()`;

const ofReadme = { overview: 1_050, email: 1_120, emails: 880 } as const;

/** As WebP, a third of PNG. */
async function takeForReadme(browser: Browser, stack: Stack): Promise<void> {
  const page = await openPage(browser, looks.light);
  await signIn(page, stack.api.url);
  const devtools = await page.context().newCDPSession(page);
  for (const [name, height] of Object.entries(ofReadme)) {
    await page.setViewportSize({ width: looks.light.viewport.width, height });
    await page.goto(stack.api.url + (await pathOf(stack))[name]);
    await settle(page);
    await page.evaluate(nameProvider);
    const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 80 });
    await writeFile(join(import.meta.dirname, `${name}.webp`), Buffer.from(data, 'base64'));
  }
}

async function take(browser: Browser, stack: Stack): Promise<void> {
  const paths = Object.entries(await pathOf(stack)).filter(
    ([name]) => wanted.length === 0 || wanted.includes(name),
  );
  for (const [look, wishes] of Object.entries(looks)) {
    const page = await openPage(browser, wishes);
    await page.goto(stack.api.url);
    await page.getByLabel('Password').waitFor();
    await page.screenshot({ path: join(directory ?? '', `sign-in-${look}.png`) });
    await signIn(page, stack.api.url);
    for (const [name, path] of paths) {
      await page.goto(stack.api.url + path);
      await settle(page);
      await keep(page, `${name}-${look}`, wishes.viewport);
      console.log(`${name}-${look}`);
    }
    await page.context().close();
  }
}

await using server = await startPostgres(wishesOf(process.env));
await using database = await freshDatabase(await createTemplate(server.url));
await using stack = await startStack({
  database,
  provider: {
    users: { 'hello@tidewater.example': 'correct-horse-battery' },
    name: 'smtp.example.net',
    certificate: { notAfter: new Date(Date.now() + 71 * 86_400_000) },
  },
  api: {
    ADMIN_PASSWORD: adminPassword,
    PUBLIC_URL: 'https://app.tidewater.example',
    WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8',
  },
  relay: { SMTP_ALLOWED_SENDERS: senders, SMTP_FROM_NAME: 'Tidewater' },
});
await fillShop(stack);
await using browser = await openBrowser();
await (directory === '--readme' ? takeForReadme(browser, stack) : take(browser, stack));

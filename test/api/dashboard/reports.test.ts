// Delivery reports and the senders' domains as the pages show them, with the test in the place of the relay.
import { randomUUID } from 'node:crypto';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beat } from '../../../relay/client/status/heartbeat.ts';
import { until } from '../../kit/until.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn, type Watched } from './chromium.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

const said = 'NO [AUTHENTICATIONFAILED] <b>Wrong</b> password';

const relay = {
  configured: true,
  missing: [],
  problems: [],
  delivery_mode: 'deliver',
  limits: { max_message_size: 26_214_400 },
  allowed_senders: ['mailer@example.com'],
  secrets: {},
  routes: [],
  lanes: [],
  mailbox: { user: 'mailer@example.com', host: 'imap.example.com', port: 993 },
};

const spf = {
  check: 'spf',
  result: 'fail',
  cause: 'spf-doubled',
  title: 'example.com has 2 SPF records, and receivers then use none.',
  fix: 'Delete both at Namecheap (Domain List, Manage, Advanced DNS) and add this one.',
  record: {
    name: 'example.com',
    type: 'TXT',
    host: '@',
    value: `v=spf1 ${'include:spf.privateemail.com '.repeat(5)}~all`,
  },
  evidence: ['example.com TXT v=spf1 include:spf.privateemail.com ~all', 'example.com TXT v=spf1 -all'],
};
const dkim = {
  ...spf,
  check: 'dkim',
  result: 'unknown',
  cause: 'dkim-key-unknown',
  title: 'The key of default._domainkey.example.com could not be read.',
  record: null,
};
const mx = {
  ...spf,
  check: 'mx',
  result: 'pass',
  cause: 'mx-good',
  title: 'Mail to it arrives.',
  fix: null,
  record: null,
};
const receivers = ['Gmail', 'Yahoo', 'Outlook.com'].map((receiver, n) => ({
  receiver,
  answer: ['no', 'unknown', 'yes'][n],
  says: 'Wants SPF.',
  codes: ['5.7.26'],
}));
const arrival = {
  check: 'arrival',
  result: 'warn',
  cause: 'canary-junk',
  title: 'It came into the junk folder (Spam).',
  fix: 'Look at the other findings.',
  evidence: ['dmarc=fail (p=NONE <b>x</b>) header.from=example.com'],
};

const domains = [
  [
    `insert into sender_domain (domain, provider, checked_at, result, settled, settled_at, findings, receivers)
     values ('example.com', 'privateemail', now() - interval '3 minutes', 'fail', 'fail', now(), $1, $2)`,
    [JSON.stringify([spf, dkim, mx]), JSON.stringify(receivers)],
  ],
  [
    `insert into sender_domain (domain, provider) values ('a-quite-long-name-of-a-shop-that-sells-things.example', null)`,
    [],
  ],
  [
    `insert into canary (token, domain, sender, recipient, queue_id, queued_at, returned_at, folder, is_junk, result, findings)
     select 't' || n, 'example.com', 'mailer@example.com', 'box' || n || '@example.com', 'C' || n, now() - interval '1 hour',
       case when n = 1 then now() - interval '59 minutes' end, case when n = 1 then 'Spam' end, n = 1,
       case when n = 1 then 'warn' end, case when n = 1 then $1::jsonb else '[]' end
     from generate_series(1, 2) n`,
    [JSON.stringify([arrival])],
  ],
] as const;

const history = [
  `insert into cause (slug, title, meaning, fix) values ('imap-sign-in', 'The mailbox refuses the login', 'm', 'f')`,
  `insert into bounce_mailbox (key, state, cause, detail, last_look_at)
   values ('mailer@example.com imap.example.com', 'failing', 'imap-sign-in', '${said}', now() - interval '2 hours')`,
  `insert into bounce_report (digest, outcome, why)
   select sha256(int4send(n)), case when n = 4 then 'unreadable' when n = 5 then 'matched' else 'unmatched' end,
     case when n < 4 then 'mail-unknown' end from generate_series(1, 5) n`,
  `insert into bounce_report (digest, outcome, read_at) values (sha256('old'), 'unreadable', now() - interval '15 days')`,
  `insert into message (queue_id, sender, header_from, message_id, size, credential, priority)
   select 'A' || n, 'mailer@example.com', 'mailer@example.com', n, 1, 'app', 1 from generate_series(1, 4) n`,
  `insert into recipient (queue_id, ordinal, address, status, priority, reason, enhanced_code, reply, finished_at, bounced_at)
   select 'A' || n, 0, 'ann@example.org', 'bounced', 1, case n when 1 then 'user-unknown' else 'dmarc-spf-dkim' end,
     '5.7.26', '550-5.7.26 unauthenticated <i>' || n || '</i>', now() - interval '3 days',
     now() - case when n = 4 then interval '50 hours' when n = 1 then interval '30 hours' else interval '1 hour' end
   from generate_series(1, 4) n`,
];

describe('delivery reports on the pages', () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await startDashboard();
    await beat(dashboard.database, { instance: randomUUID(), process: 'relay', report: relay });
    for (const statement of history) await dashboard.query(statement);
    for (const [statement, values] of domains) await dashboard.query(statement, [...values]);
  });
  afterAll(() => dashboard?.[Symbol.asyncDispose]());

  test('the API tells how the mailbox is read, and which reports changed nothing', async () => {
    const { mailbox } = (await (
      await fetch(`${dashboard.base}/api/v1/test-email/config`, {
        headers: { authorization: 'Bearer bootstrap-key-of-the-tests' },
      })
    ).json()) as { mailbox: object };
    expect(mailbox).toMatchObject({
      ...relay.mailbox,
      state: 'failing',
      cause: 'imap-sign-in',
      detail: said,
      without_effect: [
        { outcome: 'unmatched', why: 'mail-unknown', count: 3 },
        { outcome: 'unreadable', why: null, count: 1 },
      ],
    });
  });

  /** The button, with the test in the place of the relay that sends the mail and reads it back. */
  async function sendCanary(page: Page): Promise<void> {
    const section = page.getByRole('region', { name: 'Test mail of example.com' });
    await section.getByRole('button', { name: 'Send a test mail' }).click();
    await section.getByRole('button', { name: 'Waiting for the mail' }).waitFor();
    await until(async () => {
      const { rows } = await dashboard.query(
        `update sender_domain set canary_asked_at = null where domain = 'example.com' and canary_asked_at is not null returning 1`,
      );
      return rows.length === 1;
    });
    await dashboard.query(
      `insert into canary (token, domain, sender, recipient, queue_id, returned_at, folder, is_junk, result, findings)
       values ('t3', 'example.com', 'mailer@example.com', 'box3@example.com', 'C3', now(), 'INBOX', false, 'pass', $1)`,
      [
        JSON.stringify([
          { ...arrival, result: 'pass', cause: 'canary-inbox', title: 'It came into the inbox.' },
        ]),
      ],
    );
    await section.getByText('It came into the inbox.').waitFor();
    await section.getByRole('button', { name: 'Send a test mail' }).waitFor();
    expect(await section.innerText()).toMatch(/To box3@example\.com, .*: pass after/);
    expect(await section.innerText()).not.toContain('box1@example.com');

    // Once in ten minutes: the page says so.
    await section.getByRole('button', { name: 'Send a test mail' }).click();
    await section.getByRole('alert').getByText('less than 10 minutes ago').waitFor();
  }

  const looks = [
    ['light', 1_280],
    ['dark', 360],
  ] as const;

  test.skipIf(!hasChromium)(
    'the pages show the mailbox, what bounced after sending, and the domains',
    async () => {
      const browser = await openBrowser();
      try {
        for (const [colorScheme, width] of looks) {
          const page = await openPage(browser, { colorScheme, viewport: { width, height: 900 } });
          await signIn(page, dashboard.base);
          await expectOverview(page);
          await expectFine(page, width);
          await page.goto(`${dashboard.base}/diagnosis`);
          await expectDomains(page);
          await expectFine(page, width);
          await keepScreenshot(page, `domains-${colorScheme}-${width}`);
          if (colorScheme === 'dark') await sendCanary(page);
          await page.context().close();
        }
      } finally {
        await browser.close();
      }
    },
    60_000,
  );
});

async function expectOverview(page: Page): Promise<void> {
  const later = page.getByRole('paragraph').filter({ hasText: 'Bounced after sending' });
  expect(await later.innerText()).toMatch(/: 2 in 24 hours, +▲ 1 the day before\./);
  const words = await page.getByRole('listitem').filter({ hasText: 'imap.example.com' }).innerText();
  expect(words).toContain('The mailbox refuses the login, last look 2 h ago');
  expect(words).toContain(said);
  expect(words).toContain('3 reports changed nothing: they are about mail that is not known here');
  expect(words).toContain('1 report could not be read');
}

async function expectDomains(page: Page): Promise<void> {
  const section = page.getByRole('region', { name: 'example.com', exact: true });
  const words = await section.innerText();
  expect(words).toContain('example.com has 2 SPF records');
  expect(words).toContain('Gmail no');
  expect(words).toContain('5.7.26 dmarc-spf-dkim: 3 recipients, the last one 1 h ago. A rule of Gmail');
  expect(words).toContain('550-5.7.26 unauthenticated <i>');
  expect(words).toMatch(/To box1@example\.com, .*: warn after 1 m/);
  expect(words).toContain('It came into the junk folder (Spam).');
  expect(words).toContain('Receiver: dmarc=fail (p=NONE <b>x</b>) header.from=example.com');
  expect(words).toMatch(/To box2@example\.com, .*: did not come back/);
}

async function expectFine(page: Watched, width: number): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as { violations: { id: string }[] };
  expect(violations.map(({ id }) => id)).toEqual([]);
  expect(page.complaints).toEqual([]);
}

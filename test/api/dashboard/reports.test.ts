// Delivery reports and the senders' domains as the pages show them, with the test in the place of the relay.
import { randomUUID } from 'node:crypto';
import axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beat } from '../../../relay/client/status/heartbeat.ts';
import { hasChromium, keepScreenshot, openBrowser, openPage, signIn } from './chromium.ts';
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
  `insert into recipient (queue_id, ordinal, address, status, priority, reason, finished_at, bounced_at)
   select 'A' || n, 0, 'ann@example.org', 'bounced', 1, 'user-unknown', now() - interval '3 days',
     now() - case when n = 4 then interval '50 hours' when n = 1 then interval '30 hours' else interval '1 hour' end
   from generate_series(1, 4) n`,
];

describe('delivery reports on the pages', () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await startDashboard();
    await beat(dashboard.database, { instance: randomUUID(), process: 'relay', report: relay });
    for (const statement of history) await dashboard.query(statement);
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

  test.skipIf(!hasChromium)(
    'the overview shows the mailbox and what bounced after sending',
    async () => {
      const browser = await openBrowser();
      try {
        for (const [colorScheme, width] of [
          ['light', 1_280],
          ['dark', 1_280],
          ['light', 360],
        ] as const) {
          const page = await openPage(browser, { colorScheme, viewport: { width, height: 900 } });
          await signIn(page, dashboard.base);
          const later = page.getByRole('paragraph').filter({ hasText: 'Bounced after sending' });
          expect(await later.innerText()).toMatch(/: 2 in 24 hours, +▲ 1 the day before\./);
          const entry = page.getByRole('listitem').filter({ hasText: 'imap.example.com' });
          const words = await entry.innerText();
          expect(words).toContain('The mailbox refuses the login, last look 2 h ago');
          expect(words).toContain(said);
          expect(words).toContain('3 reports changed nothing: they are about mail that is not known here');
          expect(words).toContain('1 report could not be read');
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
          await page.evaluate(axe.source);
          const { violations } = (await page.evaluate('axe.run()')) as { violations: { id: string }[] };
          expect(violations.map(({ id }) => id)).toEqual([]);
          expect(page.complaints).toEqual([]);
          await keepScreenshot(page, `reports-${colorScheme}-${width}`);
          await page.context().close();
        }
      } finally {
        await browser.close();
      }
    },
    60_000,
  );
});

// A support colleague: somebody on the telephone never got the invitation. It is found by a part of the name, what is quoted
// stands on the page with its time zone and the provider's words, and it is sent again. Then tomorrow's notice of a client
// is moved, and another client's mail is cancelled.
import { expect, test } from 'vitest';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { faultsOf } from './axe.ts';
import { adminPassword, hasChromium, openBrowser, openPage, signIn, type Watched } from './chromium.ts';

const invitations = ({ provider }: Stack) =>
  provider.messages.filter(({ envelope }) => envelope.recipients.includes('greta@lindqvist.example'));

test.skipIf(!hasChromium)('a support colleague answers a telephone call', { timeout: 120_000 }, async () => {
  await using stack = await startStack({ api: { ADMIN_PASSWORD: adminPassword } });
  await using browser = await openBrowser();
  await fill(stack);
  const page = await openPage(browser);
  const isFine = async () => expect(await faultsOf(page)).toEqual([]);

  // "Something with Lindq": found where customers are, and in the list of all mail.
  await signIn(page, stack.api.url, '/customers');
  await page.getByRole('searchbox').fill('lindq');
  await until(async () => (await page.locator('tbody tr').count()) === 1, { what: 'one customer' });
  await isFine();
  await page.getByRole('link', { name: 'Lindqvist Dental' }).click();
  const now = page.locator('section.now');
  const sentAt =
    /Sent to greta@lindqvist\.example on \w+, \d+ \w+ \d{4}, \d\d:\d\d:\d\d CES?T: the provider accepted it\./;
  await until(async () => sentAt.test(await now.innerText()), { what: 'when it was sent, with its zone' });
  await isFine();

  // What the provider said, word for word, for whoever asks.
  await now.getByText(/^250 2\.0\.0 Ok: queued as \w+$/).waitFor();
  await now.getByRole('link', { name: 'The email' }).click();
  await page.getByRole('heading', { name: 'Your invitation to Lindqvist Dental' }).waitFor();
  await now.getByText(/^250 2\.0\.0 Ok: queued as \w+$/).waitFor();
  const sent = page.locator('dl.envelope').getByText(/^\w+, \d+ \w+ \d{4}, \d\d:\d\d:\d\d CES?T$/);
  expect(await sent.count()).toBeGreaterThan(0);
  await isFine();
  await page.goBack();
  await page.getByRole('button', { name: 'Invite again' }).click();
  await now.getByText('Invited again, with a new link.').waitFor();
  await until(() => invitations(stack).length === 2, { what: 'the second invitation' });
  const links = invitations(stack).map(({ raw }) => /token=[\w=\r\n-]+/.exec(String(raw))?.[0]);
  expect(new Set(links).size).toBe(2);
  await isFine();
  await page.keyboard.press('/');
  await page.getByRole('heading', { name: /^Emails/ }).waitFor();
  await page.getByRole('searchbox').fill('indqv');
  await until(async () => (await page.locator('tbody tr').count()) === 2, { what: 'both invitations' });
  await isFine();

  await moveTomorrowsNotice(page, stack);
  await isFine();
  await cancelClient(page, stack);
  await isFine();
  expect(page.complaints).toEqual([]);
});

async function moveTomorrowsNotice(page: Watched, stack: Stack): Promise<void> {
  await page.getByRole('link', { name: 'Scheduled', exact: true }).click();
  await page.getByRole('searchbox').fill('appointm');
  const row = page.getByRole('row', { name: /Reminder: your appointment/ });
  await until(async () => (await page.locator('tbody').count()) === 1 && (await row.count()) === 1, {
    what: 'the notice alone',
  });
  await row.getByRole('button', { name: 'Move' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Local time').fill('2031-07-01T18:30');
  expect(await faultsOf(page)).toEqual([]);
  await dialog.getByRole('button', { name: 'Move', exact: true }).click();
  // In the zone of whoever gets it, and in UTC.
  await row.getByText('Tue 1 Jul, 18:30 Europe/Oslo').waitFor();
  await row.getByText('2031-07-01 16:30 UTC').waitFor();
  const { rows } = await stack.database.query<{ due_at: Date }>(
    "select due_at from email where subject = 'Reminder: your appointment'",
  );
  expect(rows[0]?.due_at.toISOString()).toBe('2031-07-01T16:30:00.000Z');
}

async function cancelClient(page: Watched, stack: Stack): Promise<void> {
  await page.getByRole('searchbox').fill('osei-music');
  await until(async () => (await page.getByRole('link', { name: 'osei-music' }).count()) === 2, {
    what: "the client's mail",
  });
  await page.getByRole('checkbox', { name: /^Choose all of/ }).check();
  await page
    .getByRole('group', { name: 'Actions on several emails' })
    .getByRole('button', { name: 'Cancel' })
    .click();
  const dialog = page.getByRole('dialog');
  expect(await faultsOf(page)).toEqual([]);
  await dialog.getByRole('button', { name: /^Cancel 2/ }).click();
  await dialog.getByText('2 emails cancelled').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.getByText('No scheduled emails match').waitFor();
  const { rows } = await stack.database.query<{ client_id: string; status: string }>(
    'select distinct client_id, status::text from email where client_id is not null order by client_id',
  );
  expect(rows).toEqual([
    { client_id: 'nordlys-physio', status: 'pending' },
    { client_id: 'osei-music', status: 'cancelled' },
  ]);
}

/** Two customers, and two clients whose forms send tomorrow. */
async function fill(stack: Stack): Promise<void> {
  for (const [name, owner, email] of [
    ['Lindqvist Dental', 'Greta Lindqvist', 'greta@lindqvist.example'],
    ['Studio Rossi', 'Chiara Rossi', 'chiara@rossi.example'],
  ])
    await stack.api.post('/api/customers', {
      name,
      email,
      owner: { name: owner, email },
      sendInvitation: true,
    });
  await until(() => invitations(stack).length === 1, { what: 'the invitation' });
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  for (const [client, zone, subjects] of [
    ['nordlys-physio', 'Europe/Oslo', ['Reminder: your appointment']],
    ['osei-music', 'America/New_York', ['Recital on Saturday', 'The new term']],
  ] as const) {
    const { status } = await stack.api.put(`/api/v1/client/${client}/email-config`, {
      enabled: true,
      recipients: ['dagny@nordlys.example'],
      time_zone: zone,
      emails: subjects.map((subject, index) => ({
        key: `notice-${index}`,
        subject,
        text: 'Hello',
        scheduled_datetime: `${tomorrow}T23:15:00`,
      })),
    });
    expect(status).toBe(200);
  }
}

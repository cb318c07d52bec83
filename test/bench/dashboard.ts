// How long the pages of the dashboard wait for their answers with a million emails in the database, most of them over
// and a backlog among them. The api runs as it does in production; each question is asked again and again, and the
// slowest answer counts. Then how long a browser takes to show the first page.
import { setTimeout as pause } from 'node:timers/promises';
import { adminPassword } from '../api/dashboard/chromium.ts';
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { writeHistory } from '../kit/history.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { measureFirstPaint } from './first-paint.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';

const emails = Number(process.env.BENCH_EMAILS ?? 1_000_000);
const customers = emails / 50;
const rounds = 10;
const password = adminPassword;

export const dashboard: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using database = await freshDatabase(await createTemplate(server.url));
  await writeHistory(database, { emails, customers }, say);
  await using stack = await startStack({
    database,
    provider: false,
    processes: ['api'],
    api: { ADMIN_PASSWORD: password, LOG_LEVEL: 'warn' },
  });
  const documents = await measureCatchingUp(stack, say);
  await database.query('vacuum (analyze) search_document');
  return [documents, ...(await askAll(stack, say)), ...(await measureFirstPaint(stack.api.url, say))];
};

async function askAll(stack: Stack, say: (line: string) => void): Promise<Measurement[]> {
  const ask = await asker(stack);
  const measurements: Measurement[] = [];
  for (const [what, path] of Object.entries(await questions(stack))) {
    const took: number[] = [];
    for (let round = 0; round < rounds; round++) {
      // The overview is made once a second, whoever asks.
      if (path === '/dashboard/overview') await pause(1_100);
      const began = performance.now();
      await ask(path);
      took.push(performance.now() - began);
    }
    const slowest = Math.max(...took);
    say(`${what}: ${slowest.toFixed(0)} ms at most, ${median(took).toFixed(1)} ms mostly`);
    measurements.push({
      what,
      unit: 'ms',
      postern: slowest,
      target: '≤ 200',
      detail: { path, medianMs: median(took), firstMs: took[0] },
    });
  }
  return measurements;
}

/** How fast mail that nobody has made searchable yet is, as after an upgrade. */
async function measureCatchingUp({ database }: Stack, say: (line: string) => void): Promise<Measurement> {
  const began = performance.now();
  let written = 0;
  while (written < emails) {
    await pause(1_000);
    const { rows } = await database.query<{ written: number }>(
      'select count(*)::integer as written from search_document',
    );
    written = rows[0]?.written ?? 0;
    say(`${written.toLocaleString('en')} can be found`);
  }
  return {
    what: 'making mail searchable that was not',
    unit: 'mails/s',
    postern: emails / ((performance.now() - began) / 1_000),
    target: '–',
  };
}

async function asker({ api }: Stack) {
  const headers = { 'content-type': 'application/json', 'x-postern-dashboard': '1' };
  const signedIn = await fetch(`${api.url}/dashboard/sign-in`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ password }),
  });
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  return async (path: string): Promise<void> => {
    const response = await fetch(api.url + path, { headers: { cookie } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text}`);
  };
}

/** What the pages ask, by what a person does. */
async function questions({ database }: Stack): Promise<Record<string, string>> {
  const one = async (text: string) =>
    (await database.query<{ id: string }>(text)).rows[0]?.id ?? 'there is none';
  const middle = await one(
    `select id from email order by id offset (select count(*) / 2 from email) limit 1`,
  );
  const list = (query: Record<string, string>) => `/dashboard/emails?${new URLSearchParams(query)}`;
  const count = (query: Record<string, string>) => `/dashboard/emails/count?${new URLSearchParams(query)}`;
  return {
    overview: '/dashboard/overview',
    'overview: what needs a look': '/dashboard/attention',
    'overview: the last seven days': '/dashboard/history',
    'plot of an hour': '/dashboard/minutes?hours=1',
    'plot of a week': '/dashboard/minutes?hours=168',
    'emails, newest': list({}),
    'emails, from the middle on': list({ after: middle }),
    ...Object.fromEntries(
      ['uncertain', 'held', 'sending', 'deferred', 'pending', 'bounced', 'captured', 'sent'].map((status) => [
        `emails, ${status}`,
        list({ statuses: status }),
      ]),
    ),
    'emails, what needs a look': list({ statuses: 'held,uncertain,bounced,deferred' }),
    'emails, kind': list({ kind: 'invitation' }),
    'emails, kind without any': list({ kind: 'rejection' }),
    'emails, kind and status': list({ kind: 'scheduled', statuses: 'bounced' }),
    'emails, kind and a status without any': list({ kind: 'scheduled', statuses: 'captured' }),
    'search: oldest address': list({ text: 'first@example.net' }),
    'search: an address': list({ text: `ben${(emails / 2) % 60_000}@` }),
    'search: a domain of a fifth': list({ text: 'mail.example.com' }),
    'search: a letter': list({ text: 'a' }),
    'search: a word of one subject': list({ text: 'needle' }),
    'search: a word of an eighth': list({ text: 'receipt' }),
    'search: a number': list({ text: String(emails / 4) }),
    'search: two words': list({ text: 'receipt march' }),
    'search: two words that never meet': list({ text: 'needle receipt' }),
    'search: frequent words that never meet': list({ text: 'receipt invoice' }),
    'search: no match': list({ text: 'xylophone' }),
    'search: a word, bounced': list({ text: 'receipt', statuses: 'bounced' }),
    'search: a word, uncertain': list({ text: 'receipt', statuses: 'uncertain' }),
    'search: a word, captured': list({ text: 'receipt', statuses: 'captured' }),
    'search: a word, kind': list({ text: 'welcome', kind: 'invitation' }),
    'count: all': count({}),
    'count: sent': count({ statuses: 'sent' }),
    'count: held': count({ statuses: 'held' }),
    'count: a word of an eighth': count({ text: 'receipt' }),
    'count: a letter': count({ text: 'a' }),
    'count: a word, bounced': count({ text: 'receipt', statuses: 'bounced' }),
    'count: no match': count({ text: 'xylophone' }),
    'one email': `/dashboard/emails/${middle}`,
    'mail over SMTP': list({ source: 'smtp' }),
    'scheduled, waiting': '/api/v1/scheduled-emails?status=pending&limit=50',
    'scheduled, not finished':
      '/api/v1/scheduled-emails?status=pending,held,queued,sending,deferred,uncertain&limit=50',
    'scheduled, not sent': '/api/v1/scheduled-emails?status=expired,bounced,cancelled&limit=50',
    'scheduled, sent': '/api/v1/scheduled-emails?status=sent&limit=50',
    'scheduled, held': '/api/v1/scheduled-emails?status=held&limit=50',
    'scheduled, captured': '/api/v1/scheduled-emails?status=captured&limit=50',
    customers: '/api/customers?limit=50',
    'customers, by name': '/api/customers?q=customer+1234+ltd&limit=50',
    'customers, no match': '/api/customers?q=xylophone&limit=50',
    applications: '/api/admin/onboarding/applications?limit=50',
    keys: '/api/v1/keys?limit=50',
    suppressions: '/api/v1/suppressions?limit=50',
    audit: '/api/v1/audit?limit=50',
    'settings of the relay': '/api/v1/test-email/config',
    'api: emails': '/api/v1/emails?limit=50',
    'api: emails, a recipient': `/api/v1/emails?recipient=first@example.net&limit=50`,
    'api: emails, a subject': `/api/v1/emails?q=needle&limit=50`,
    'api: emails, a subject without any': `/api/v1/emails?q=xylophone&limit=50`,
    'api: emails, held': '/api/v1/emails?status=held&limit=50',
  };
}

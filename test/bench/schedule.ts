// How late scheduled mail is: a burst that is due in one second, with one worker and with three, and a steady stream.
// From the due time until the relay has it, by the clock of the database; a provider takes everything meanwhile.
import { openDatabase } from '../../deploy/database.ts';
import type { EmailDraft } from '../../relay/client/email/draft.ts';
import { insertEmails } from '../../relay/client/email/insert.ts';
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import type { Benchmark, Measurement } from './measurement.ts';

const burst = 10_000;
const perSecond = 20;
const seconds = 60;
const insertBatch = 500;

export const schedule: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  const measurements: Measurement[] = [];
  for (const workers of [1, 3]) {
    await using stack = await startStack({
      template,
      processes: ['relay', 'worker'],
      workers,
      provider: { keepBytes: 0 },
      relay: { LOG_LEVEL: 'warn' },
      worker: { LOG_LEVEL: 'warn' },
    });
    const dueAt = new Date(Date.now() + 15_000);
    await insert(
      stack,
      Array.from({ length: burst }, () => dueAt),
    );
    say(`${burst} mails are due in ${dueAt.getTime() - Date.now()} ms`);
    const { latest, copies } = await handedOver(stack, burst);
    say(`${workers} worker(s): the last of ${burst} was handed over after ${latest.toFixed(1)} s`);
    measurements.push({
      what: `${burst} due in the same second, ${workers} worker(s)`,
      unit: 's',
      postern: latest,
      target: workers === 1 ? '≤ 10 s, 0 duplicates' : '0 duplicates',
      detail: { duplicates: copies - burst },
    });

    if (workers > 1) continue;
    await until(async () => (await waitingAtRelay(stack)) === 0, {
      timeoutMs: 300_000,
      what: 'the burst to be sent',
    });
    await stack.database.query('delete from email');
    const from = Date.now() + 5_000;
    const times = Array.from(
      { length: perSecond * seconds },
      (_, i) => new Date(from + (i * 1000) / perSecond),
    );
    await insert(stack, times);
    const steady = await handedOver(stack, times.length);
    say(`${perSecond}/s for ${seconds} s: lateness p99 ${(steady.p99 * 1000).toFixed(0)} ms`);
    measurements.push({
      what: `scheduled mail, steady ${perSecond}/s, lateness p99`,
      unit: 'ms',
      postern: steady.p99 * 1000,
      target: '≤ 250 ms',
      detail: { medianMs: steady.median * 1000, latestMs: steady.latest * 1000, seconds },
    });
  }
  return measurements;
};

async function insert(stack: Stack, times: readonly Date[]): Promise<void> {
  await using database = openDatabase({ url: stack.database.url, applicationName: 'bench' });
  const drafts = times.map(
    (dueAt, i): EmailDraft => ({
      kind: 'scheduled',
      from: { address: stack.provider.user },
      recipients: [{ kind: 'to', address: `r${i}@example.com` }],
      subject: `Number ${i}`,
      text: 'Hello there. '.repeat(100),
      html: '<p>Hello there.</p>'.repeat(100),
      dueAt,
    }),
  );
  for (let i = 0; i < drafts.length; i += insertBatch) {
    await database.transaction((tx) => insertEmails(tx, drafts.slice(i, i + insertBatch)));
  }
}

async function handedOver(stack: Stack, count: number) {
  // Asked often, so by an index: counting them all took a quarter of a processor from what is measured.
  const isOver = async () => {
    const { rows } = await stack.database.query<{ over: boolean }>(
      `select not exists (select from email where status = 'pending' and not paused) as over`,
    );
    return rows[0]?.over === true;
  };
  await until(isOver, { timeoutMs: 300_000, what: `${count} mails to be handed over` });
  const { rows } = await stack.database.query<{
    latest: number;
    p99: number;
    median: number;
    taken: number;
    copies: number;
  }>(
    `select max(late) as latest, percentile_disc(0.99) within group (order by late) as p99,
            percentile_disc(0.5) within group (order by late) as median,
            count(late)::int as taken,
            (select count(*)::int from message where email_id in (select id from email)) as copies
     from (select extract(epoch from accepted_at - due_at)::float8 as late from email) e`,
  );
  const [found] = rows;
  if (found?.taken !== count) throw new Error(`${found?.taken} of ${count} mails were handed over`);
  return found;
}

async function waitingAtRelay(stack: Stack): Promise<number> {
  const { rows } = await stack.database.query<{ n: number }>(
    `select count(*)::int as n from email where status <> 'sent'`,
  );
  return rows[0]?.n ?? 0;
}

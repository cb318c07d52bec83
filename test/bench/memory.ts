// What large mail costs a process in memory, and others in time: uploads at once, and due mail with attachments.
import { readFile } from 'node:fs/promises';
import { openDatabase } from '../../deploy/database.ts';
import { insertEmail } from '../../relay/client/email/insert.ts';
import { createTemplate } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import type { Benchmark } from './measurement.ts';
import { startCountingSink, towards } from './sink.ts';

const uploads = 16;
const dueMails = 50;
const content = Buffer.alloc(18_000_000, 'postern');

export const memory: Benchmark = async (say) => {
  await using server = await startPostgres({ kind: 'embedded' });
  await using sink = await startCountingSink();
  await using stack = await startStack({
    template: await createTemplate(server.url),
    provider: false,
    relay: towards(sink),
    api: { SMTP_FROM_EMAIL: 'ann@example.com' },
  });
  await using database = openDatabase({ url: stack.database.url, applicationName: 'bench' });

  const body = JSON.stringify({
    to: 'bob@example.net',
    subject: 'upload',
    text: 'Hello.',
    scheduled_datetime: '2999-01-01T00:00:00Z',
    attachments: [{ filename: 'a.bin', content: content.toString('base64') }],
  });
  // The api begins to measure its event loop when it is asked for the first time.
  await stack.api.get('/metrics');
  const answers = await Promise.all(
    Array.from({ length: uploads }, () => stack.api.post('/api/v1/emails', body)),
  );
  const { body: metrics } = await stack.api.get('/metrics');
  // Seen by the api itself: this process is busy with the uploads and would measure its own pauses. Between two
  // measurements are 100 ms (deploy/metrics.ts).
  const lag = Number(/^postern_nodejs_eventloop_lag_max_seconds\S* (\S+)$/m.exec(metrics)?.[1]);
  const pause = Math.max(0, lag * 1_000 - 100);
  const lost = answers.filter(({ status }) => status !== 202).length;
  const api = await peakMb(stack.api.process.pid);
  say(`${uploads} uploads, ${lost} refused, api ${api.toFixed(0)} MB, longest pause ${pause.toFixed(0)} ms`);

  for (let n = 0; n < dueMails; n++) {
    await database.transaction((tx) =>
      insertEmail(tx, {
        kind: 'scheduled',
        from: { address: 'ann@example.com' },
        recipients: [{ kind: 'to', address: 'bob@example.net' }],
        subject: `due ${n}`,
        text: 'Hello.',
        dueAt: new Date(),
        attachments: [{ filename: 'a.bin', contentType: 'application/octet-stream', content }],
      }),
    );
  }
  // What does not arrive shows as lost; waiting for ever would only hide it.
  await until(() => sink.taken >= dueMails, { timeoutMs: 300_000 }).catch(() => {});
  const worker = await peakMb(stack.worker.process.pid);
  const relay = await peakMb(stack.relay.process.pid);
  say(`${sink.taken} due mails delivered, worker ${worker.toFixed(0)} MB, relay ${relay.toFixed(0)} MB`);

  const uploaded = `${uploads} uploads of 24 MB at once`;
  const due = `${dueMails} emails of 18 MB due at once`;
  const most = { unit: 'MB', target: '≤ 400 MB' } as const;
  return [
    { what: `${uploaded}, refused`, unit: 'requests', postern: lost, target: '0' },
    { what: `${uploaded}, api RSS at most`, postern: api, ...most },
    { what: `${uploaded}, longest pause of the api`, unit: 'ms', postern: pause, target: '≤ 250 ms' },
    { what: `${due}, lost`, unit: 'messages', postern: dueMails - sink.taken, target: '0' },
    { what: `${due}, worker RSS at most`, postern: worker, ...most },
    { what: `${due}, relay RSS at most`, postern: relay, ...most },
  ];
};

/** proc(5): the highest resident memory since the start. */
async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

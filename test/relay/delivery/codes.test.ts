// Every stage of the conversation crossed with the replies that matter: what each means for the mail and for the lane.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase, type TestDatabase } from '../../kit/database.ts';
import { type Provider, type Stage, startProvider } from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, queueMail, recipientsOf } from './way-out.ts';

const replies = {
  '421': '421 4.3.2 Service shutting down',
  '450': '450 4.2.0 Try again later',
  '451': '451 4.3.0 Local error in processing',
  '452': '452 4.3.1 Insufficient system storage',
  '530': '530 5.7.0 Authentication required',
  '535': '535 5.7.8 Authentication credentials invalid',
  '550': '550 Requested action not taken',
  '552': '552 5.3.4 Message size exceeds fixed limit',
  '553': '553 Requested action not taken: mailbox name not allowed',
  '554': '554 Transaction failed',
  garbage: '\u0001\u0002 what?',
  'a 64 KB reply': `450-${'x'.repeat(64 * 1024)}\r\n450 4.2.0 Try again later`,
} as const;

type Reply = keyof typeof replies;

/** Mail status, lane state, and whether the other route carried the mail. */
type Cell =
  `${'sent' | 'queued' | 'deferred' | 'bounced' | 'held' | 'uncertain'} ${'open' | 'paused' | 'stopped' | 'unreachable'}`;

const table: Record<'greeting' | 'ehlo' | 'auth' | 'mail' | 'rcpt' | 'data' | 'dot', Record<Reply, Cell>> = {
  // Nothing has been said about the mail yet: it stays queued, whatever happens to the lane.
  greeting: row('queued stopped', {
    '421': 'queued unreachable',
    '450': 'queued unreachable',
    '451': 'queued unreachable',
    '452': 'queued unreachable',
    'a 64 KB reply': 'queued unreachable',
  }),
  ehlo: row('queued stopped', {
    '421': 'queued unreachable',
    '450': 'queued unreachable',
    '451': 'queued unreachable',
    '452': 'queued unreachable',
    'a 64 KB reply': 'queued unreachable',
  }),
  auth: row('queued stopped', {
    '421': 'queued unreachable',
    '450': 'queued unreachable',
    '451': 'queued unreachable',
    '452': 'queued unreachable',
    'a 64 KB reply': 'queued unreachable',
  }),
  // A refusal of MAIL is about the sender: that sender's mail is held, and nobody bounces.
  mail: row('deferred open', {
    '530': 'queued stopped',
    '535': 'queued stopped',
    '550': 'held open',
    '552': 'bounced open',
    '553': 'held open',
    '554': 'held open',
  }),
  rcpt: row('deferred open', {
    '530': 'queued stopped',
    '535': 'queued stopped',
    '550': 'bounced open',
    '552': 'bounced open',
    '553': 'bounced open',
    '554': 'bounced open',
  }),
  data: row('deferred open', {
    '530': 'queued stopped',
    '535': 'queued stopped',
    '550': 'bounced open',
    '552': 'bounced open',
    '553': 'bounced open',
    '554': 'bounced open',
  }),
  dot: row('deferred open', {
    '530': 'queued stopped',
    '535': 'queued stopped',
    '550': 'bounced open',
    '552': 'bounced open',
    '553': 'bounced open',
    '554': 'bounced open',
    garbage: 'uncertain open',
  }),
};

function row(usual: Cell, others: Partial<Record<Reply, Cell>> = {}): Record<Reply, Cell> {
  const cells = Object.keys(replies).map((reply) => [reply, usual]);
  return { ...(Object.fromEntries(cells) as Record<Reply, Cell>), ...others };
}

let database: TestDatabase;
let provider: Provider;
beforeAll(async () => {
  database = await freshDatabase();
  provider = await startProvider();
});
afterAll(async () => {
  await provider[Symbol.asyncDispose]();
  await database.stop();
});

for (const [stage, cells] of Object.entries(table) as [Stage, Record<Reply, Cell>][]) {
  for (const [reply, cell] of Object.entries(cells) as [Reply, Cell][]) {
    test(`${reply} at ${stage} leaves the mail and the lane ${cell}`, async () => {
      await database.query('truncate lane, sender_hold, message, message_part, event cascade');
      provider.behave();
      provider.on(stage, replies[reply]);
      await using wayOut = await openWayOut(database.url, environmentFor(provider), {
        unreachableProbeMs: [60_000, 60_000],
        stoppedProbeMs: [60_000, 60_000],
      });
      const { queueId } = await queueMail(database.query);
      const attempt = await until(
        async () => (await eventsOf(database.query, queueId)).filter(({ type }) => type === 'attempt').at(-1),
        { what: 'the attempt' },
      );
      const seen = await until(async () => {
        const [recipient] = await recipientsOf(database.query, queueId);
        return recipient?.status !== 'sending' && recipient;
      });
      const lane = wayOut.delivery.report().lanes[0];
      expect(`${seen.status} ${lane?.state}`, JSON.stringify(attempt.detail).slice(0, 300)).toBe(cell);
      expect(attempt.detail.stage).toBe(stage);
    });
  }
}

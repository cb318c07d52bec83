// The ambiguity matrix: the provider drops, resets or stalls at every moment of the conversation, with two routes.
// For every cell: whether the other route was used, what became of the mail, and how many copies the provider took.
import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import {
  acceptThen,
  drop,
  type Mode,
  partial,
  type Reaction,
  reset,
  type Stage,
  stall,
  startProvider,
} from '../../kit/provider.ts';
import { until } from '../../kit/until.ts';
import { environmentFor, eventsOf, openWayOut, queueMail, settled } from './way-out.ts';

const isSilent = (reaction: Reaction) => reaction === stall || reaction === takenThenSilent;

// Only where the provider keeps silent do we have to wait for our own patience to end.
const timeoutsFor = (reaction: Reaction, switched = false) => {
  const patienceMs = isSilent(reaction) ? 1_500 : 10_000;
  return {
    // Elsewhere the first route must win, however slow this machine is.
    nextRouteMs: switched && isSilent(reaction) ? 150 : 60_000,
    commandMs: patienceMs,
    dataMs: patienceMs,
    blockMs: patienceMs,
    finalMs: patienceMs,
    resendMs: 600_000,
    unreachableProbeMs: [60_000, 60_000],
    stoppedProbeMs: [60_000, 60_000],
  } as const;
};

const takenThenSilent = acceptThen(stall);

const ways = { drops: drop, resets: reset, stalls: stall } as const;

type Expected = {
  readonly switched: boolean;
  /** What the mail becomes first. */
  readonly status: 'sent' | 'queued' | 'deferred' | 'uncertain';
  /** Copies the provider had taken by then. */
  readonly copies: number;
  /** Copies in the end, under `resend`; where that is more than one, the timeline says so. */
  readonly copiesAfterResend?: number;
};

const elsewhere: Expected = { switched: true, status: 'sent', copies: 1 };
const waits: Expected = { switched: false, status: 'queued', copies: 0 };
const later: Expected = { switched: false, status: 'deferred', copies: 0 };
const unknown: Expected = { switched: false, status: 'uncertain', copies: 0, copiesAfterResend: 1 };
const perhapsTwice: Expected = { switched: false, status: 'uncertain', copies: 1, copiesAfterResend: 2 };

const cells: [words: string, stage: Stage, mode: Mode, expected: Expected, after?: number][] = [
  ['when TCP is established', 'connect', 'implicit', elsewhere],
  ['in the TLS handshake', 'tls', 'implicit', elsewhere],
  ['instead of a greeting', 'greeting', 'implicit', elsewhere],
  ['at EHLO', 'ehlo', 'implicit', elsewhere],
  ['at STARTTLS', 'starttls', 'starttls', elsewhere],
  ['in the TLS handshake after STARTTLS', 'tls', 'starttls', elsewhere],
  ['at AUTH', 'auth', 'implicit', waits],
  ['at MAIL', 'mail', 'implicit', later],
  ['at RCPT', 'rcpt', 'implicit', later],
  ['at DATA', 'data', 'implicit', later],
  ['in the middle of the body', 'body', 'implicit', later, 1_000_000],
  ['after the final dot', 'dot', 'implicit', unknown],
];

for (const [words, stage, mode, expected, after] of cells) {
  for (const [way, reaction] of Object.entries(ways)) {
    test(`a provider that ${way} ${words}`, async () => {
      await play({ stage, mode, reaction, expected, ...(after !== undefined && { after }) });
    }, 60_000);
  }
}

for (const [words, reaction] of [
  ['drops the line after it took the message', acceptThen(drop)],
  ['resets the line after it took the message', acceptThen(reset)],
  ['goes silent after it took the message', takenThenSilent],
  ['takes the message and says no more than 354', '354 go on'],
  ['is cut off in the middle of 250', acceptThen(partial('25'))],
  ['is cut off before the line of its 250 ended', acceptThen(partial('250 2.0.0 Ok'))],
] as const) {
  test(`a provider that ${words}`, () =>
    play({ stage: 'dot', mode: 'implicit', reaction, expected: perhapsTwice }));
}

for (const [words, reaction] of [
  ['is cut off before the line of its 550 ended', partial('550 5.7')],
  ['is cut off in a reply of several lines', partial('250-2.0.0 Ok\r\n')],
  ['answers the final dot with garbage', 'HTTP/1.1 400 Bad Request'],
] as const) {
  test(`a provider that ${words}`, () =>
    play({ stage: 'dot', mode: 'implicit', reaction, expected: unknown }));
}

test.each(['HTTP/1.1 400 Bad Request', '354 go on'])(
  'after the final reply "%s" no other mail goes over the same connection',
  async (words) => {
    await using database = await freshDatabase();
    await using provider = await startProvider();
    provider.on('dot', words, { times: 1 });
    await using _ = await openWayOut(database.url, environmentFor(provider));
    const { queueId } = await queueMail(database.query);
    await settled(database.query, queueId, ['uncertain']);
    const next = await queueMail(database.query);
    await settled(database.query, next.queueId, ['sent']);
    const [first] = provider.connections;
    expect(provider.commands(first?.id).filter((line) => line.startsWith('MAIL'))).toHaveLength(1);
  },
);

test('a provider that drops the line after its 250 has taken the mail', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on('quit', drop);
  provider.on('rset', drop);
  await using _ = await openWayOut(database.url, environmentFor(provider), timeoutsFor(drop));
  const { queueId, messageId } = await queueMail(database.query);
  await settled(database.query, queueId, ['sent']);
  provider.hangUp();
  const next = await queueMail(database.query);
  await settled(database.query, next.queueId, ['sent']);
  expect(provider.copiesOf(messageId)).toHaveLength(1);
});

async function play({
  stage,
  mode,
  reaction,
  expected,
  after,
}: {
  stage: Stage;
  mode: Mode;
  reaction: Reaction;
  expected: Expected;
  after?: number;
}): Promise<void> {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  provider.on(stage, reaction, { mode, ...(after !== undefined && { after }) });
  const environment = environmentFor(
    provider,
    { SMTP_TIMEOUT: isSilent(reaction) ? '2' : '10', RETRY_SCHEDULE: '1h' },
    mode,
  );
  await using wayOut = await openWayOut(database.url, environment, timeoutsFor(reaction, expected.switched));
  const large = (after ?? 0) > 100_000;
  const { queueId, messageId } = await queueMail(database.query, {
    ...(large && {
      content: `Message-ID: <large@test.example>\r\n\r\n${'A line of a large mail.\r\n'.repeat(800_000)}`,
    }),
  });
  const copies = () => provider.copiesOf(large ? '<large@test.example>' : messageId).length;
  const used = () =>
    new Set(
      provider.connections
        .filter(({ commands }) => commands.some(({ line }) => /^(AUTH|MAIL)/.test(line)))
        .map((connection) => connection.mode),
    );
  const attempts = async () =>
    (await eventsOf(database.query, queueId)).filter(({ type }) => type === 'attempt');

  // What waits has been tried: its attempt is in the timeline.
  await until(async () => (await attempts()).some(({ detail }) => detail.stage !== 'accepted'), {
    what: 'an attempt',
    timeoutMs: 20_000,
  });
  const recipient = await settled(database.query, queueId, [expected.status]);
  expect(recipient.attempts).toBe(expected.status === 'queued' ? 0 : 1);
  // What webhooks say of it.
  if (expected.status === 'deferred' || expected.status === 'uncertain')
    expect(recipient.stage).toBe((await attempts())[0]?.detail.stage);
  expect(copies()).toBe(expected.copies);
  expect([...used()]).toEqual([expected.switched ? (mode === 'implicit' ? 'starttls' : 'implicit') : mode]);
  if (expected.status === 'queued') {
    expect(wayOut.delivery.report().lanes[0]?.state).toBe('unreachable');
    expect(provider.commands().filter((line) => line.startsWith('AUTH'))).toHaveLength(1);
  }

  if (expected.status === 'sent') return;
  provider.behave();
  if (expected.status === 'queued') return;
  // Not before all of this was seen of the first attempt.
  await database.query('update recipient set next_attempt_at = now()');
  expect(await settled(database.query, queueId, ['sent'])).toMatchObject({
    resends: expected.status === 'uncertain' ? 1 : 0,
  });
  expect(copies()).toBe(expected.copiesAfterResend ?? 1);
  const marked = (await eventsOf(database.query, queueId)).filter(({ detail }) => detail.possibleDuplicate);
  expect(marked).toHaveLength(expected.status === 'uncertain' ? 1 : 0);
  expect([...used()]).toEqual([mode]);
}

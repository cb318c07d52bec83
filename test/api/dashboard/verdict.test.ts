// What the first page says of a state that it is told: the newest evidence wins, and everything that is wrong is listed.
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';

type Verdict = { tone: string; title: string; facts: string[]; others: Verdict[] };

// A module of the browser, without types.
const load = createRequire(import.meta.url);
const { verdictOf } = load('../../../api/dashboard/pages/verdict.js') as {
  verdictOf(overview: object): Verdict;
};

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

const lane = {
  name: 'SMTP',
  state: 'open',
  cause: null,
  detail: null,
  since: minutesAgo(600),
  next_probe_at: null,
  proven_at: null,
  last_taken_at: null,
  paced_until: null,
  held_senders: [],
};
const stopped = {
  ...lane,
  state: 'stopped',
  cause: 'auth-bad-credentials',
  detail: '535 no',
  since: minutesAgo(5),
};
const held = {
  sender: 'shop@example.com',
  cause: 'sender-not-owned',
  detail: '550 no',
  next_probe_at: new Date(Date.now() + 90_000).toISOString(),
};
const failed = {
  ok: false,
  at: minutesAgo(10),
  diagnosis: { stage: 'tcp', cause: 'tcp-timeout', title: 'The port is blocked', meaning: 'M.', fix: 'F.' },
};

function overview({ relay = {}, ...more }: { relay?: object; [member: string]: unknown } = {}) {
  return {
    at: new Date().toISOString(),
    waiting: {},
    held: [],
    causes: {
      'auth-bad-credentials': { title: 'User name or password is wrong', meaning: '', fix: 'Set it.' },
      'sender-not-owned': { title: 'The account may not send as this address', meaning: '', fix: 'Add it.' },
      'uncertain-twice': { title: 'No final reply came twice', meaning: '', fix: 'Ask.' },
    },
    lastSent: null,
    oldestDue: null,
    relayAlive: true,
    processes: [{ process: 'worker', alive: true }],
    relay: {
      configured: true,
      missing: [],
      problems: [],
      preflight: { ok: true, at: minutesAgo(300), diagnosis: null, stand_in: false },
      delivery_mode: 'deliver',
      routes: [],
      lanes: [lane],
      ...relay,
    },
    ...more,
  };
}

const titles = (of: object) => {
  const { title, others } = verdictOf(of);
  return [title, ...others.map((other) => other.title)];
};

test('when nothing is wrong, mail can leave', () => {
  expect(titles(overview())).toEqual(['Mail can leave']);
  expect(titles(overview({ lastSent: { at: minutesAgo(1), id: '1' } }))).toEqual(['Mail is leaving']);
});

test('before the first examination nobody says that mail can leave: the provider may be the stand-in', () => {
  const proven = { ...lane, proven_at: minutesAgo(60), held_senders: [held] };
  const relay = { preflight: undefined };
  const sent = { lastSent: { at: minutesAgo(0), id: '1' } };
  for (const each of [overview({ relay }), overview({ ...sent, relay })]) {
    expect(titles(each)).toEqual(['The connection to the provider is being tested']);
  }
  const verdict = JSON.stringify(verdictOf(overview({ ...sent, relay: { ...relay, lanes: [proven] } })));
  expect(verdict).toMatch(/Mail from shop@example.com is held/);
  expect(verdict).not.toContain('other senders leaves');
});

test.each([
  ['a mail that was sent since then', { lastSent: { at: minutesAgo(1), id: '1' } }, {}],
  ['a mail of another application', {}, { lanes: [{ ...lane, last_taken_at: minutesAgo(1) }] }],
  ['a lane that opened since then', {}, { lanes: [{ ...lane, since: minutesAgo(1) }] }],
  ['a sign-in that worked since then', {}, { lanes: [{ ...lane, proven_at: minutesAgo(1) }] }],
])('%s beats an older examination that failed', (_, more, relay) => {
  expect(verdictOf(overview({ ...more, relay: { preflight: failed, ...relay } })).title).toMatch(
    /^Mail (can leave|is leaving)$/,
  );
});

test('an examination that is newer than the last mail beats it', () => {
  const before = { lastSent: { at: minutesAgo(11), id: '1' }, relay: { preflight: failed } };
  expect(titles(overview(before))).toEqual(['Mail cannot leave: the port is blocked']);
});

test('an examination has the better words for the fault that closed the lane since, and none for another one', () => {
  const refused = { ...stopped, state: 'unreachable', cause: 'tcp-refused', since: minutesAgo(1) };
  const words = (lanes: object[]) => verdictOf(overview({ relay: { preflight: failed, lanes } })).title;
  expect(words([refused])).toBe('Mail cannot leave: the port is blocked');
  expect(words([{ ...stopped, since: minutesAgo(1) }])).toBe(
    'Mail cannot leave: user name or password is wrong',
  );
});

test('everything that is wrong is listed, the worst first, and no other mail leaves while no way is open', () => {
  const all = overview({
    processes: [],
    held: [{ reason: 'uncertain-twice', count: 2, detail: null }],
    relay: { lanes: [{ ...stopped, held_senders: [held] }] },
    webhooks: [{ id: '1', title: 'The webhook 1 is disabled', fix: 'Enable it.' }],
  });
  expect(titles(all)).toEqual([
    'Mail cannot leave: user name or password is wrong',
    'Mail from shop@example.com is held: The account may not send as this address',
    'No worker is running',
    'The webhook 1 is disabled',
    '2 emails are held: no final reply came twice',
  ]);
  expect(JSON.stringify(verdictOf(all))).not.toContain('other senders leaves');
});

test('a held sender is said with the time of the next try; with an open way, other mail leaves', () => {
  const { title, facts } = verdictOf(overview({ relay: { lanes: [{ ...lane, held_senders: [held] }] } }));
  expect(title).toMatch(/^Mail from shop@example.com is held/);
  expect(facts).toContain('Mail from other senders leaves.');
  expect(facts.join(' ')).toMatch(/Next attempt in 1 min/);
});

test.each([
  ['capture mode', { delivery_mode: 'capture' }],
  ['the stand-in provider', { preflight: { ok: true, at: minutesAgo(0), diagnosis: null, stand_in: true } }],
])('%s is test mode, and other mail does not leave either', (_, relay) => {
  const verdict = verdictOf(overview({ relay: { ...relay, lanes: [{ ...lane, held_senders: [held] }] } }));
  expect(verdict.title).toBe('Test mode: nothing leaves this machine');
  expect(JSON.stringify(verdict)).not.toContain('other senders leaves');
});

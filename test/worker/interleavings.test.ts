// Any order of saving, changing, cancelling, sending now and ticking, with workers and relays dying in between, on the
// real stack. Whatever happens: each version of an entry reaches the provider at most once, what was cancelled or
// replaced with a 200 never does, and what is due goes out within thirty seconds.
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Stack, startStack } from '../kit/stack.ts';
import { runs, seed } from '../kit/thoroughness.ts';
import { until } from '../kit/until.ts';

/** An entry of a client's form as it was asked for last. */
type Entry = { version: number; dueAt: Date };

/** What has been asked for. What became of it is for the stack to tell. */
type Model = { entries: Map<string, Entry>; versions: number };

/** The stack as one client sees it, and what it has been promised. */
type Real = {
  readonly stack: Stack;
  readonly client: string;
  readonly ids: Map<string, string>;
  /** Emails whose cancel was answered 200. */
  readonly cancelled: Set<string>;
  /** Subjects of versions that were replaced while they were at home. */
  readonly replaced: Set<string>;
};

const keys = ['a', 'b', 'c'] as const;
type Key = (typeof keys)[number];

// Due at once, while the next commands run, or only when it is asked for.
const delays = [0, 100, 500, 3_600_000, 3_600_000] as const;
const mostPatienceMs = 30_000;

const subjectOf = ({ client }: Real, key: string, version: number) => `${client} ${key} v${version}`;
const emailPath = ({ ids }: Real, key: Key) => `/api/v1/scheduled-emails/${ids.get(key)}`;
const inMs = (ms: number) => new Date(Date.now() + ms);

type Command = fc.AsyncCommand<Model, Real>;

/** Saves the form with the given entries: changed ones as a new version, the others as they were. */
class Save implements Command {
  readonly form: Readonly<Partial<Record<Key, { changes: boolean; delay: number }>>>;
  readonly enabled: boolean;

  constructor(form: Save['form'], enabled: boolean) {
    this.form = form;
    this.enabled = enabled;
  }

  check = () => true;

  async run(model: Model, real: Real): Promise<void> {
    const before = new Map(model.entries);
    model.entries.clear();
    for (const [key, { changes, delay }] of Object.entries(this.form)) {
      const known = before.get(key);
      const entry = known && !changes ? known : { version: ++model.versions, dueAt: inMs(delay) };
      model.entries.set(key, entry);
    }
    const { status, body } = await real.stack.api.put(`/api/v1/client/${real.client}/email-config`, {
      enabled: this.enabled,
      recipients: ['ann@example.com'],
      emails: [...model.entries].map(([key, { version, dueAt }]) => ({
        key,
        subject: subjectOf(real, key, version),
        text: 'Hello.',
        scheduled_datetime: dueAt.toISOString(),
      })),
    });
    expect(status, JSON.stringify(body)).toBe(200);
    const { kept, updated, created } = body.scheduled;
    expect(kept + updated + created).toBe(model.entries.size);

    const locked = new Set(body.warnings.map((warning: { key: string }) => warning.key));
    for (const [key, { version }] of before) {
      const now = model.entries.get(key);
      if (now && now.version !== version && !locked.has(key)) await replaced(real, key, version, now.version);
    }
    const inForm = new Map<string, string>(
      body.emails.map((email: { key: string; id: string }) => [email.key, email.id]),
    );
    for (const [key, id] of real.ids) {
      if (inForm.has(key) && !real.cancelled.has(id)) expect(inForm.get(key), `the id of ${key}`).toBe(id);
      if (!inForm.has(key) && (await statusOf(real, id)) === 'cancelled') real.cancelled.add(id);
      if (!model.entries.has(key)) real.ids.delete(key);
    }
    for (const key of model.entries.keys()) real.ids.set(key, inForm.get(key) ?? '');
  }

  toString = () => `save(${JSON.stringify(this.form)}${this.enabled ? '' : ', paused'})`;
}

/** The answer said that the new version took the place of the old one, which can therefore not be on its way. */
async function replaced(real: Real, key: string, from: number, to: number): Promise<void> {
  const { body } = await real.stack.api.get(`/api/v1/client/${real.client}/email-config`);
  const email = body.emails.find((each: { key: string }) => each.key === key);
  if (email?.subject === subjectOf(real, key, to)) real.replaced.add(subjectOf(real, key, from));
}

async function statusOf({ stack }: Real, id: string): Promise<string> {
  const { body } = await stack.api.get(`/api/v1/scheduled-emails/${id}`);
  return body.status;
}

abstract class OnEntry implements Command {
  readonly key: Key;
  abstract readonly name: string;

  constructor(key: Key) {
    this.key = key;
  }

  check = (model: Readonly<Model>) => model.entries.has(this.key);
  abstract run(model: Model, real: Real): Promise<void>;
  toString = () => `${this.name}(${this.key})`;
}

class Change extends OnEntry {
  readonly name = 'change';

  async run(model: Model, real: Real): Promise<void> {
    const entry = model.entries.get(this.key) as Entry;
    const next = { version: ++model.versions, dueAt: inMs(200) };
    const { status } = await real.stack.api.patch(emailPath(real, this.key), {
      subject: subjectOf(real, this.key, next.version),
      scheduled_datetime: next.dueAt.toISOString(),
    });
    expect([200, 409]).toContain(status);
    if (status !== 200) return;
    real.replaced.add(subjectOf(real, this.key, entry.version));
    model.entries.set(this.key, next);
  }
}

class SendNow extends OnEntry {
  readonly name = 'sendNow';

  async run(model: Model, real: Real): Promise<void> {
    const { status, body } = await real.stack.api.post(`${emailPath(real, this.key)}/send-now`);
    expect([200, 409]).toContain(status);
    if (status !== 200) return;
    const entry = model.entries.get(this.key) as Entry;
    model.entries.set(this.key, { ...entry, dueAt: new Date(body.scheduled_datetime) });
  }
}

class Cancel extends OnEntry {
  readonly name = 'cancel';

  async run(_: Model, real: Real): Promise<void> {
    const { status, body } = await real.stack.api.post(`${emailPath(real, this.key)}/cancel`);
    expect([200, 409]).toContain(status);
    const id = real.ids.get(this.key) ?? '';
    if (status === 200) {
      expect(body.status).toBe('cancelled');
      real.cancelled.add(id);
    } else {
      expect(real.cancelled).not.toContain(id);
    }
  }
}

class Tick implements Command {
  check = () => true;

  async run(_: Model, { stack }: Real): Promise<void> {
    expect((await stack.api.post('/api/v1/process-scheduled-emails')).status).toBe(200);
  }

  toString = () => 'tick';
}

class Kill implements Command {
  readonly victim: 'worker' | 'relay';

  constructor(victim: Kill['victim']) {
    this.victim = victim;
  }

  check = () => true;

  async run(_: Model, { stack }: Real): Promise<void> {
    const place = stack[this.victim];
    place.process.kill('SIGKILL');
    await place.process.exited;
    await place.start();
  }

  toString = () => `kill(${this.victim})`;
}

/** Not a wait for anything: time in which others may be in the middle of something. */
class Pass implements Command {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  check = () => true;
  run = () => pause(this.ms);
  toString = () => `pass(${this.ms})`;
}

const key = fc.constantFrom(...keys);
const wish = fc.record({ changes: fc.boolean(), delay: fc.constantFrom(...delays) });
const form = fc.record({ a: wish, b: wish, c: wish }, { requiredKeys: ['a'] });
const mostlyEnabled = fc.integer({ min: 0, max: 5 }).map((n) => n > 0);
const save = fc.tuple(form, mostlyEnabled).map(([wanted, enabled]) => new Save(wanted, enabled));
const commands = fc.commands(
  [
    save,
    save,
    key.map((one) => new Change(one)),
    key.map((one) => new SendNow(one)),
    key.map((one) => new SendNow(one)),
    key.map((one) => new Cancel(one)),
    key.map((one) => new Cancel(one)),
    fc.constant(new Tick()),
    fc.constantFrom('worker', 'relay').map((victim) => new Kill(victim as Kill['victim'])),
    fc.integer({ min: 0, max: 400 }).map((ms) => new Pass(ms)),
  ],
  { maxCommands: 14, size: 'max' },
);

/** What the provider took of each client's mail: Message-IDs and subjects, in the order they came. */
function taken({ stack, client }: Real): { ids: string[]; subjects: string[] } {
  const heads = stack.provider.messages.map(({ raw }) => raw.toString('latin1'));
  const ours = heads.filter((head) => head.includes(`\r\nSubject: ${client} `));
  return {
    ids: ours.map((head) => /^Message-ID: <([^@]+)@/im.exec(head)?.[1] ?? ''),
    subjects: ours.map((head) => /^Subject: (.*)\r$/m.exec(head)?.[1] ?? ''),
  };
}

function expectPromisesKept(real: Real): void {
  const { ids, subjects } = taken(real);
  expect(subjects.toSorted(), 'at most one copy of each version').toEqual([...new Set(subjects)].toSorted());
  expect(ids.toSorted(), 'at most one copy of each entry').toEqual([...new Set(ids)].toSorted());
  expect(
    ids.filter((id) => real.cancelled.has(id)),
    'sent after a 200 to its cancel',
  ).toEqual([]);
  expect(
    subjects.filter((one) => real.replaced.has(one)),
    'an old version, sent after the change',
  ).toEqual([]);
}

/**
 * Mail that could leave and has not, or that needed longer than it may. Nothing here gives a reason to hold any;
 * `uncertain` waits a quarter of an hour on purpose.
 */
async function overdue({ database }: Stack, patienceMs: number): Promise<unknown[]> {
  const { rows } = await database.query(
    `select id, status, subject, reason, due_at, finished_at from email
     where (status in ('pending', 'held', 'queued', 'sending', 'deferred') and not paused and due_at <= now())
        or (status = 'sent' and finished_at > greatest(due_at, created_at) + make_interval(secs => $1))`,
    [patienceMs / 1000],
  );
  return rows;
}

test('whatever is saved, changed, cancelled and killed in whatever order, every promise is kept', {
  timeout: 60_000 + runs(6) * 30_000,
}, async () => {
  await using stack = await startStack({ worker: { LOG_LEVEL: 'warn' }, relay: { LOG_LEVEL: 'warn' } });
  const clients: Real[] = [];
  const drawnFrom = seed();
  await fc.assert(
    fc.asyncProperty(save, commands, async (first, drawn) => {
      const real: Real = {
        stack,
        client: `client-${clients.length + 1}`,
        ids: new Map(),
        cancelled: new Set(),
        replaced: new Set(),
      };
      clients.push(real);
      const model: Model = { entries: new Map(), versions: 0 };
      await first.run(model, real);
      await fc.asyncModelRun(() => ({ model, real }), drawn);
      expectPromisesKept(real);
    }),
    { numRuns: runs(6), endOnFailure: true, seed: drawnFrom },
  );

  const nothingIsOverdue = async () => {
    expect(await overdue(stack, mostPatienceMs)).toEqual([]);
    return true;
  };
  await until(nothingIsOverdue, {
    timeoutMs: mostPatienceMs,
    what: `everything that is due to be sent (TEST_SEED=${drawnFrom})`,
  });
  for (const real of clients) expectPromisesKept(real);
  expect(clients.flatMap((real) => taken(real).ids).length).toBeGreaterThan(0);
});

// A primary that is killed under load, and a streaming standby that takes over: as CloudNativePG, Patroni and managed
// databases do it, with a real standby and with all of our processes.
import { expect, test } from 'vitest';
import { startPooler, whyNoPooler } from '../kit/pooler.ts';
import { type Pair, startPair } from '../kit/primary-and-standby.ts';
import { delay, startProvider } from '../kit/provider.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { breachesOf } from '../prove/ledger.ts';
import { comeToRest, type Load, startLoad } from './load.ts';

const noPooler = whyNoPooler();
if (noPooler) console.info(`Skipping promotions behind a pooler: ${noPooler}.`);

const minutes = 60_000;
/** Ten times what it should take, for machines that are busy. */
const generousMs = 50_000;

type Promotion = { readonly checkpoint: boolean; readonly restart: boolean; readonly pooler?: boolean };

/** Slower than the load, so that mail waits when the primary is lost. */
async function slowProvider() {
  const provider = await startProvider({ keepBytes: 4_096 });
  provider.on('dot', delay(40));
  return provider;
}

async function startAll(url: string, pair: Pair): Promise<Stack> {
  const provider = await slowProvider();
  const common = { SMTP_FROM_EMAIL: provider.user, LOG_LEVEL: 'info' };
  const stack = await startStack({
    database: { url, query: pair.query },
    provider,
    relay: {
      ...common,
      SMTP_ALLOWED_SENDERS: '*@example.com',
      RETRY_SCHEDULE: '1s,2s,4s',
      SMTP_MAX_CONNECTIONS: '2',
    },
    api: common,
    worker: common,
  });
  return Object.assign(stack, { [Symbol.asyncDispose]: disposeBoth(stack, provider) });
}

function disposeBoth(stack: AsyncDisposable, provider: AsyncDisposable): () => Promise<void> {
  const stop = stack[Symbol.asyncDispose].bind(stack);
  return async () => {
    await stop();
    await provider[Symbol.asyncDispose]();
  };
}

const processesOf = ({ relays, apis, workers }: Stack) => [...relays, ...workers, ...apis];

async function killAll(stack: Stack): Promise<void> {
  for (const { process } of processesOf(stack)) process.kill('SIGKILL');
  await Promise.all(processesOf(stack).map(({ process }) => process.exited));
}

/** Waits until mail waits and leaves at the same time. */
async function underLoad({ provider, database }: Stack): Promise<void> {
  await until(
    async () => {
      const { rows } = await database.query<{ waiting: number }>(
        `select count(*)::integer as waiting from recipient where status = 'queued'`,
      );
      return provider.messages.length > 60 && (rows[0]?.waiting ?? 0) > 60;
    },
    { what: 'mail to wait while mail leaves' },
  );
}

/** @returns how long after the promotion mail was taken and mail left, in seconds */
async function flowsAgain({ provider }: Stack, load: Load): Promise<{ taken: number; left: number }> {
  const promotedAt = performance.now();
  const since = () => (performance.now() - promotedAt) / 1_000;
  const [sent, acknowledged] = [provider.messages.length, load.acknowledged];
  const [taken, left] = await Promise.all([
    until(() => load.acknowledged > acknowledged && since(), {
      what: 'mail to be taken',
      timeoutMs: generousMs,
    }),
    until(() => provider.messages.length > sent + 2 && since(), {
      what: 'mail to leave',
      timeoutMs: generousMs,
    }),
  ]);
  return { taken, left };
}

test.each<Promotion>([
  { checkpoint: false, restart: false },
  { checkpoint: true, restart: false },
  { checkpoint: false, restart: true },
  { checkpoint: true, restart: true },
  ...(noPooler
    ? []
    : [
        { checkpoint: true, restart: false, pooler: true },
        { checkpoint: true, restart: true, pooler: true },
      ]),
])(
  'a synchronous standby is promoted under load: nothing is lost, nothing is held %o',
  async ({ checkpoint, restart, pooler = false }) => {
    await using pair = await startPair({ synchronous: true });
    await using bouncer = pooler
      ? await startPooler(pair.url, { pool_mode: 'session', server_login_retry: 1 })
      : undefined;
    await using stack = await startAll(bouncer?.through(pair.url) ?? pair.url, pair);
    await using load = startLoad(stack, 17);
    await underLoad(stack);

    await pair.killPrimary();
    if (restart) await killAll(stack);
    await pair.promote();
    if (checkpoint) await pair.query('checkpoint');
    const [flow] = await Promise.all([
      flowsAgain(stack, load),
      ...(restart ? processesOf(stack).map((slot) => slot.start()) : []),
    ]);
    const how = JSON.stringify({ checkpoint, restart, pooler });
    console.info(
      `Promotion ${how}: mail taken after ${flow.taken.toFixed(2)} s, sent after ${flow.left.toFixed(2)} s`,
    );

    stack.provider.behave();
    await load.stop();
    await comeToRest(stack.database);
    const reckoning = await load.reckon();
    expect(breachesOf(reckoning)).toEqual([]);
    expect(load.complaints).toEqual([]);
    const waiting = Object.fromEntries(reckoning.waiting);
    // A relay that was killed between the final dot and the reply leaves what SMTP itself cannot tell (RFC 1047).
    if (restart) delete waiting['uncertain: relay-lost'];
    expect(waiting).toEqual({});
    expect(stack.output).toContain('"event":"database-promoted"');
    expect(stack.output).not.toContain('database-restored');
  },
  4 * minutes,
);

// A real primary with a real streaming standby, and one address for both: what a promotion looks like to our processes.
//
//   await using pair = await startPair({ synchronous: true });
//   …
//   await pair.killPrimary();
//   await pair.promote();
import { connected, type OwnPostgres, openQuery, ownPostgres, type TestDatabase } from './database.ts';
import { startStandby } from './embedded.ts';
import { startForwarder } from './forwarder.ts';
import { until } from './until.ts';

export type Pair = AsyncDisposable & {
  /** The migrated database, where the address leads at the moment. */
  readonly url: string;
  readonly query: TestDatabase['query'];
  /** From now on the standby hears nothing more. Resolves with the time of the last commit that it has. */
  cutReplication(): Promise<Date>;
  /** SIGKILL. */
  killPrimary(): Promise<void>;
  /** The standby takes over, and the address leads to it. Resolves when it takes writes. */
  promote(): Promise<void>;
};

/** @param synchronous whether the primary answers a commit only when the standby has it, too */
export async function startPair({ synchronous }: { synchronous: boolean }): Promise<Pair> {
  const resources = new AsyncDisposableStack();
  try {
    const primary = resources.use(await ownPostgres());
    return await arrange(primary, synchronous, resources);
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

async function arrange(
  primary: OwnPostgres,
  synchronous: boolean,
  resources: AsyncDisposableStack,
): Promise<Pair> {
  const address = resources.use(await startForwarder(primary.port));
  const replication = resources.use(await startForwarder(primary.port));
  await primary.query(`alter system set wal_keep_size = '512MB'`);
  await primary.query('select pg_reload_conf()');
  const standby = resources.use(await standbyOf(primary, replication.port));
  if (synchronous) {
    await primary.query(`alter system set synchronous_standby_names = 'standby'`);
    await primary.query('select pg_reload_conf()');
  }
  await until(
    async () => {
      const wanted = synchronous ? 'sync' : 'async';
      const { rows } = await primary.query('select sync_state from pg_stat_replication');
      return rows[0]?.sync_state === wanted;
    },
    { what: 'the standby to follow' },
  );
  const url = withPort(primary.url, address.port);
  const atStandby = resources.use(openQuery(withPort(primary.url, standby.port)));
  const atAddress = resources.use(openQuery(url));
  return {
    url,
    query: atAddress.query,
    async cutReplication() {
      replication.leadTo(undefined);
      replication.cut();
      await until(async () => (await atStandby.query(allIsReplayed)).rows[0]?.done, {
        what: 'the standby to have replayed what it received',
      });
      const { rows } = await atStandby.query<{ at: Date }>('select pg_last_xact_replay_timestamp() as at');
      return rows[0]?.at as Date;
    },
    killPrimary: () => primary.kill(),
    async promote() {
      await atStandby.query('select pg_promote(true, 60)');
      address.leadTo(standby.port);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

const allIsReplayed = `select pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
  and not exists (select from pg_stat_wal_receiver where status = 'streaming') as done`;

async function standbyOf({ url, data }: OwnPostgres, primaryPort: number) {
  // A backup belongs to the session that began it.
  await using session = await connected(url);
  return await startStandby({
    data,
    primaryPort,
    async whileCopied(copy) {
      await session.query(`select pg_backup_start('standby', true)`);
      await copy();
      const { rows } = await session.query<{ label: string }>(
        'select labelfile as label from pg_backup_stop(false)',
      );
      return rows[0]?.label ?? '';
    },
  });
}

function withPort(url: string, port: number): string {
  const moved = new URL(url);
  moved.port = String(port);
  return moved.href;
}

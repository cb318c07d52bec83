// Kills what a run stands on, at random, and starts it again: our processes with SIGKILL, SIGTERM, or by freezing them
// for longer than a lease, and PostgreSQL as the kernel, a hurried operator, or a bug in one session would.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { OwnPostgres } from '../kit/database.ts';
import type { RunningProcess } from '../kit/process.ts';
import type { Stack } from '../kit/stack.ts';
import type { Chance } from './chance.ts';

type Slot = Stack['worker'];

export type Saboteur = {
  /** How often each thing was done, by its name. */
  readonly done: ReadonlyMap<string, number>;
  /** Starts that came to nothing, because PostgreSQL was away or the machine too busy. */
  readonly lateStarts: number;
  /** Processes that ended although nobody had told them to, with their last words. */
  readonly selfEnded: readonly string[];
  /** Stops the sabotage; resolves when everything runs again. */
  stop(): Promise<void>;
};

// With a shorter pause between two outages of PostgreSQL no lease would ever be old enough to be taken back.
const betweenOutagesMs: [number, number] = [14_000, 30_000];
const betweenBlowsMs: [number, number] = [300, 3_000];
const downMs: [number, number] = [0, 2_000];
const mostDown = 2;

export function sabotage(
  { apis, relays, workers }: Pick<Stack, 'apis' | 'relays' | 'workers'>,
  postgres: OwnPostgres,
  chance: Chance,
  { onlyKills = false } = {},
): Saboteur {
  const done = new Map<string, number>();
  let lateStarts = 0;
  const selfEnded: string[] = [];
  const told = new WeakSet<RunningProcess>();
  const over = new AbortController();
  const isOver = once(over.signal, 'abort');
  const slots = [...apis, ...relays, ...workers];
  const note = (what: string) => done.set(what, (done.get(what) ?? 0) + 1);
  const rest = ([low, high]: [number, number]) =>
    pause(chance.between(low, high), undefined, { signal: over.signal }).catch(() => {});

  async function strike(): Promise<void> {
    while (!over.signal.aborted) {
      await rest(betweenBlowsMs);
      // Relays more often than the others: they hold the mail.
      const slot = chance.pick([...apis, ...relays, ...relays, ...workers]);
      const { process: victim } = slot;
      // On a busy machine starting takes longer than the pause between two blows; with everything down nothing is proved.
      const isDown = slots.filter((one) => told.has(one.process)).length;
      if (over.signal.aborted || isDown >= mostDown || victim.exit || told.has(victim)) continue;
      const luck = onlyKills ? 0 : chance.draw();
      if (luck < 0.6) end(slot, victim, 'SIGKILL');
      else if (luck < 0.8) end(slot, victim, 'SIGTERM');
      else void freeze(slot, victim);
    }
  }

  function end({ name }: Slot, victim: RunningProcess, signal: 'SIGKILL' | 'SIGTERM'): void {
    told.add(victim);
    note(`${name} ${signal}`);
    victim.kill(signal);
  }

  async function freeze({ name }: Slot, victim: RunningProcess): Promise<void> {
    note(`${name} frozen`);
    victim.kill('SIGSTOP');
    await rest([500, 15_000]);
    victim.kill('SIGCONT');
  }

  /** Starts it again whenever it has ended, as Docker does; ends with one that runs and was told nothing. */
  async function supervise(slot: Slot): Promise<void> {
    for (;;) {
      const { process: current } = slot;
      await Promise.race([current.exited, isOver]);
      if (told.has(current)) await current.exited;
      else if (!current.exit) return;
      else {
        const { code, signal } = current.exit;
        selfEnded.push(`${slot.name} ended by itself (${code ?? signal}): ${current.output.slice(-2_000)}`);
      }
      told.add(current);
      await rest(downMs);
      // Fails while PostgreSQL is away: then again.
      await slot.start().catch(() => lateStarts++);
    }
  }

  async function strikePostgres(): Promise<void> {
    while (!over.signal.aborted) {
      await rest(betweenOutagesMs);
      if (over.signal.aborted) return;
      const luck = chance.draw();
      if (luck < 0.3) {
        note('PostgreSQL session SIGKILL');
        await killSession();
        continue;
      }
      note(luck < 0.7 ? 'PostgreSQL SIGKILL' : 'PostgreSQL immediate shutdown');
      await (luck < 0.7 ? postgres.kill() : postgres.stop('immediate'));
      await rest(downMs);
      await postgres.start();
    }
  }

  /** One session dies, and the server throws all others out and recovers: its start time stays as it was. */
  async function killSession(): Promise<void> {
    const { rows } = await postgres.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name like 'postern%' order by pid`,
    );
    if (rows.length > 0) process.kill(chance.pick(rows).pid, 'SIGKILL');
  }

  const working = [strike(), ...(onlyKills ? [] : [strikePostgres()]), ...slots.map(supervise)];
  return {
    done,
    get lateStarts() {
      return lateStarts;
    },
    selfEnded,
    async stop() {
      over.abort();
      await Promise.all(working);
    },
  };
}

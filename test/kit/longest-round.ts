// How much a process of ours does in one round of its event loop, in time of the processor: what a busy machine does
// beside it does not count.
//
//   await using stack = await startStack({ api: watchRounds });
//   …
//   longestRoundMs(stack.api.process, since)
import type { RunningProcess } from './process.ts';

const message = 'A round of the event loop was long';
const leastMs = 20;

/** The environment of a process that is watched. */
export const watchRounds = { NODE_OPTIONS: `--import ${import.meta.url}` };

/** @param since how many lines its log had when the watch began: a start is one long round */
export const longestRoundMs = ({ log }: Pick<RunningProcess, 'log'>, since: number): number =>
  Math.max(leastMs, ...log.slice(since).map(({ msg, ms }) => (msg === message ? Number(ms) : 0)));

function watch(): void {
  let before = spent();
  // A timer that is due comes once in a round.
  const look = () => {
    const ms = spent() - before;
    if (ms > leastMs) console.log(JSON.stringify({ msg: message, ms: Math.round(ms) }));
    before = spent();
    setTimeout(look, 1).unref();
  };
  look();
}

function spent(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

if (process.env.NODE_OPTIONS === watchRounds.NODE_OPTIONS) watch();

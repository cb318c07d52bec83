// npm run bench [name …]: measures, beside Postfix where there is something to compare. A table for people on standard
// error, JSON for machines on standard output. Without names it runs all. With `--table FILE …` it measures nothing and
// prints the table of runs whose JSON was kept.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { accept } from './accept.ts';
import { api } from './api.ts';
import { cost } from './cost.ts';
import { dashboard } from './dashboard.ts';
import { deliver } from './deliver.ts';
import { events } from './events.ts';
import { failover } from './failover.ts';
import { large } from './large.ts';
import { latency } from './latency.ts';
import { livez } from './livez.ts';
import { type Benchmark, type Measurement, toTable } from './measurement.ts';
import { memory } from './memory.ts';
import { queue } from './queue.ts';
import { restored } from './restored.ts';
import { scale } from './scale.ts';
import { schedule } from './schedule.ts';
import { start } from './start.ts';
import { years } from './years.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  accept,
  deliver,
  cost,
  latency,
  queue,
  scale,
  large,
  memory,
  livez,
  schedule,
  api,
  dashboard,
  events,
  failover,
  restored,
  years,
  start,
};

// Ctrl-C must not leave servers behind: what a benchmark starts ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const [first, ...files] = process.argv.slice(2);
if (first === '--table') {
  const runs: { measurements: Measurement[] }[] = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  console.log(toTable(runs.flatMap(({ measurements }) => measurements)));
  process.exit();
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  console.error(
    `no benchmark called ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}`,
  );
  process.exit(64);
}

const measurements: (Measurement & { readonly benchmark: string })[] = [];
for (const [name, measure] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const results = await measure((line) => console.error(`${name}: ${line}`));
  measurements.push(...results.map((result) => ({ benchmark: name, ...result })));
}
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model,
  memoryBytes: totalmem(),
  kernel: release(),
  node: process.version,
};
console.error(`\n${toTable(measurements)}\n`);
console.log(JSON.stringify({ machine, measurements }, undefined, 2));

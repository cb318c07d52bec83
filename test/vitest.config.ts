// How `npm test` runs: every test file in a process of its own, against one PostgreSQL server.
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { dockerEngine } from './kit/docker.ts';
import { Order } from './order.ts';

const engine = await dockerEngine();
if (!engine.answers) console.info(`Skipping the container suite test/stack: ${engine.reason}.`);

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(engine.answers ? [] : ['test/stack/**'])],
    globalSetup: ['test/kit/global-setup.ts'],
    setupFiles: ['test/kit/leftovers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Of the tests of one file that say that they may run beside each other: they wait more than they work.
    maxConcurrency: 2,
    sequence: { sequencer: Order },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

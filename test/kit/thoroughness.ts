// How thoroughly tests that draw their own cases look: briefly with every change, for long when somebody asks.
//
//   TEST_RUNS=200 npx vitest run --config test/vitest.config.ts test/worker/interleavings.test.ts

/** How many cases to draw: TEST_RUNS where it is set, `usual` otherwise. */
export const runs = (usual: number): number => Number(process.env.TEST_RUNS) || usual;

/** fast-check's seed: TEST_SEED to see a failure again, another one each time without it. */
export const seed = (): number => Number(process.env.TEST_SEED) || Math.floor(Math.random() * 2 ** 31);

// Loaded before every test file: a file that leaves a process behind has failed, whatever its tests said.
import { afterAll } from 'vitest';
import { endLeftovers } from './process.ts';

afterAll(async () => {
  const names = await endLeftovers();
  if (names.length > 0) throw new Error(`left running when the tests were over: ${names.join(', ')}`);
});

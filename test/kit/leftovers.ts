// Loaded before every test file: a file that leaves a process behind, or lets a secret out into a log or an answer, has
// failed, whatever its tests said.
import { afterAll } from 'vitest';
import { endLeftovers } from './process.ts';
import { findLeaks } from './secrets.ts';

afterAll(async () => {
  const names = await endLeftovers();
  const leaks = findLeaks();
  if (names.length > 0) throw new Error(`left running when the tests were over: ${names.join(', ')}`);
  if (leaks.length > 0) throw new Error(`secrets were seen:\n${leaks.slice(0, 10).join('\n')}`);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { freePort } from './ports.ts';

// What another test file does beside this one: it has been given ports, and nobody listens on them yet.
const another = `
  import { freePort } from '${new URL('ports.ts', import.meta.url)}';
  const ports = [];
  for (let n = 0; n < 500; n++) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  process.stdin.resume();
`;

test('two processes at once are never given the same port', async () => {
  const other = spawn(process.execPath, ['--input-type=module', '--eval', another], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(other, 'close');
  try {
    const [line] = (await once(createInterface({ input: other.stdout }), 'line')) as [string];
    const theirs: number[] = JSON.parse(line);
    const ours: number[] = [];
    for (let n = 0; n < 500; n++) ours.push(await freePort());
    // Drawn without regard to each other some ten of them would be the same.
    expect(new Set([...theirs, ...ours]).size).toBe(1_000);
  } finally {
    other.stdin.end();
    await ended;
  }
});

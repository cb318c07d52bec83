// Who is trusted behind Docker's NAT, where a published port gives every stranger the address of the gateway.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createAuthority } from '../../kit/certificate.ts';

const run = promisify(execFile);
const trusted = '172.30.0.0/16';
const neighbour = '172.30.0.9';
const gateway = '172.30.0.1';
const stranger = '203.0.113.7';
// As Docker does it, only that the gateway and the clients are other addresses of the same machine.
const wiring = [
  'ip link set lo up',
  'ip link add eth0 type veth peer name far0',
  'ip addr add 172.30.0.2/16 dev eth0',
  'ip link set eth0 up',
  'ip link set far0 up',
  `ip route add default via ${gateway}`,
  ...[neighbour, gateway, stranger].map((address) => `ip addr add ${address}/32 dev lo`),
].join(' && ');

const absent = await run('unshare', ['--net', 'sh', '-c', wiring]).then(
  () => undefined,
  () => 'it takes root, unshare and ip to have a network of one’s own',
);
if (absent) console.info(`Skipping the test of trusted networks behind NAT: ${absent}.`);

test.skipIf(absent)(
  'neighbours are trusted, and the gateway that stands for strangers logs in over TLS only, as strangers do',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-nat-'));
    try {
      const authority = await createAuthority();
      const { cert, key } = await authority.issue();
      for (const [name, content] of Object.entries({ ca: authority.cert, cert, key })) {
        await writeFile(join(directory, `${name}.pem`), content);
      }
      const script = fileURLToPath(new URL('behind-nat.ts', import.meta.url));
      const { stdout } = await run('unshare', [
        ...['--net', 'sh', '-c', `${wiring} && exec "$0" "$@"`],
        ...[process.execPath, script, directory, trusted, neighbour, gateway, stranger],
      ]);
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
        neighbour: {
          mail: expect.stringMatching(/^250 2\.1\.0 /),
          login: expect.stringMatching(/^235 /),
          offersAuth: true,
          greeting: expect.not.stringContaining('RELAY'),
        },
        gateway: {
          mail: expect.stringMatching(/^530 5\.7\.0 .*RELAY_CLEAR_AUTH_FROM/),
          login: expect.stringMatching(/^500 5\.5\.2 /),
          offersAuth: false,
          greeting: expect.stringContaining('RELAY_CLEAR_AUTH_FROM'),
        },
        gatewayOverTls: {
          mail: expect.stringMatching(/^530 5\.7\.0 Authentication required$/),
          login: expect.stringMatching(/^235 /),
          offersAuth: true,
          greeting: expect.not.stringContaining('RELAY'),
        },
        stranger: {
          mail: expect.stringMatching(/^530 5\.7\.0 .*after STARTTLS/),
          login: expect.stringMatching(/^500 5\.5\.2 /),
          offersAuth: false,
          greeting: expect.not.stringContaining('RELAY'),
        },
        strangerOverTls: {
          mail: expect.stringMatching(/^530 5\.7\.0 Authentication required$/),
          login: expect.stringMatching(/^235 /),
          offersAuth: true,
          greeting: expect.not.stringContaining('RELAY'),
        },
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  },
  60_000,
);

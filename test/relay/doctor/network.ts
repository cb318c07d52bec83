// A network of one's own: a namespace of the Linux kernel with names, a provider, two well-known servers and a
// firewall, so that a test can have port 465 and drop the packets to it. Needs root and iproute2.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where things are; documentation addresses (RFC 5737), so that nothing takes them for a private network. */
const places = { provider: '192.0.2.10', otherMail: '192.0.2.20', web: '192.0.2.30' } as const;

const names: Readonly<Record<string, readonly string[]>> = {
  'mail.test': [places.provider],
  'both.test': [places.provider, '2001:db8::25'],
  'six.test': ['2001:db8::25'],
  'smtp.gmail.com': [places.otherMail],
  'www.google.com': [places.web],
};

export type Network = AsyncDisposable & {
  /** What the relay's environment must say to use the provider in there. */
  readonly environment: Readonly<Record<string, string>>;
  /** In front of a command, to run it in there. */
  readonly prefix: readonly string[];
  /** Drops what matches, such as `-p tcp --dport 465`. */
  drop(match: string): Promise<void>;
};

/** Why there cannot be such a network here; undefined when there can. */
export async function networkObstacle(): Promise<string | undefined> {
  const name = `postern-${randomBytes(4).toString('hex')}`;
  try {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['netns', 'exec', name, 'iptables', '-A', 'INPUT', '-p', 'tcp', '-j', 'DROP']);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n').at(-1) ?? error.message) : String(error);
  } finally {
    await run('ip', ['netns', 'del', name]).catch(() => {});
  }
}

/** @param password of the provider's one account */
export async function openNetwork(password: string): Promise<Network> {
  const name = `postern-${randomBytes(4).toString('hex')}`;
  const folder = `/etc/netns/${name}`;
  const prefix = ['ip', 'netns', 'exec', name];
  const inside = (command: string) => run('ip', ['netns', 'exec', name, ...command.split(' ')]);
  const resources = new AsyncDisposableStack();
  try {
    await run('ip', ['netns', 'add', name]);
    resources.defer(async () => {
      await run('ip', ['netns', 'del', name]);
      await rm(folder, { recursive: true, force: true });
    });
    // `ip netns exec` shows these to whoever runs in there instead of the machine's own.
    await mkdir(folder, { recursive: true });
    const hosts = Object.entries(names).flatMap(([host, all]) =>
      all.map((address) => `${address} ${host}\n`),
    );
    await writeFile(`${folder}/hosts`, hosts.join(''));
    await writeFile(`${folder}/resolv.conf`, 'nameserver 127.0.0.1\n');
    await inside('ip link set lo up');
    for (const address of Object.values(places)) await inside(`ip addr add ${address}/32 dev lo`);

    const [command = 'ip', ...args] = [
      ...prefix,
      process.execPath,
      fileURLToPath(new URL('village.ts', import.meta.url)),
    ];
    const village = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    resources.defer(async () => {
      const closed = once(village, 'close');
      village.stdin.end();
      await closed;
    });
    village.stdin.write(`${JSON.stringify({ places, password })}\n`);
    const [line] = (await once(createInterface({ input: village.stdout }), 'line')) as [string];
    return {
      environment: { ...(JSON.parse(line) as Record<string, string>), SMTP_HOST: 'mail.test' },
      prefix,
      drop: async (match) => {
        await inside(`iptables -A INPUT ${match} -j DROP`);
      },
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

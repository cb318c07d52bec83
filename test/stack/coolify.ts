// The Coolify template as a project of the real Compose: what Coolify makes of the file and of what was typed comes
// from the emulator, what it adds (an `.env` for every container, networks of its own) from here.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { emulateCoolify, type Typed } from '../deploy/coolify/emulate.ts';
import { type Answer, docker } from './compose.ts';

export type CoolifyStack = AsyncDisposable & {
  readonly project: string;
  /**
   * "Deploy": the file as it is now, in place of the one before.
   *
   * @param release the image that runs in place of the published one, if it is another
   */
  deploy(template: string, release?: string): Promise<void>;
  compose(...argumentList: string[]): Promise<string>;
  /** Asks the api from inside its container, where no port is published. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
};

type Service = Record<string, unknown> & { image: string; environment?: unknown };

/**
 * A resource that joins `network`, as with "Connect to Predefined Network".
 *
 * @param image runs in place of the published one
 * @param mounts existing volumes that the operator added at /stand-in, by service
 */
export async function coolifyStack({
  typed,
  network,
  image,
  mounts = {},
}: {
  typed: Typed;
  network: string;
  image: string;
  mounts?: Readonly<Record<string, string>>;
}): Promise<CoolifyStack> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-coolify-'));
  const project = `posterntest${process.pid}x${randomBytes(4).toString('hex')}`;
  const file = join(directory, 'docker-compose.yml');
  const compose = (...argumentList: string[]) =>
    docker(
      'compose',
      '--project-directory',
      directory,
      '--file',
      file,
      '--project-name',
      project,
      ...argumentList,
    );
  let apiKey = '';

  return {
    project,
    compose,
    async deploy(template, release = image) {
      const { environments, environmentFile } = emulateCoolify(template, typed);
      apiKey = /^SERVICE_PASSWORD_64_API=(.*)$/m.exec(environmentFile)?.[1] ?? '';
      const written = parse(template, { merge: true }) as { services: Record<string, Service> };
      const services = Object.entries(written.services).map(([name, service]) => [
        name,
        {
          ...service,
          ...(service.image.startsWith('postgres:') ? {} : { image: release, pull_policy: 'never' }),
          environment: environments.get(name),
          env_file: ['.env'],
          networks: { default: {}, shared: { aliases: [`${name}-${project}`] } },
          volumes: [
            ...((service.volumes as string[]) ?? []),
            ...(mounts[name] ? [`${mounts[name]}:/stand-in:ro`] : []),
          ],
        },
      ]);
      await writeFile(join(directory, '.env'), environmentFile);
      await writeFile(
        file,
        stringify({
          services: Object.fromEntries(services),
          volumes: {
            'postern-postgres': {},
            ...Object.fromEntries(Object.values(mounts).map((name) => [name, { external: true }])),
          },
          networks: { shared: { external: true, name: network } },
        }),
      );
      // StartService.php, with --wait for us and without --build, which has nothing to build.
      await compose('up', '--detach', '--wait', '--remove-orphans', '--force-recreate');
    },
    async ask(method, path, body) {
      const services = (await compose('ps', '--services')).split('\n');
      const api = services.find((name) => /^(?:postern-)?api$/.test(name)) as string;
      const given = [path, method, apiKey, ...(body === undefined ? [] : [JSON.stringify(body)])];
      return JSON.parse(
        await compose('exec', '-T', api, 'node', '--input-type=module', '-e', askingScript, ...given),
      );
    },
    async [Symbol.asyncDispose]() {
      await compose('down', '--volumes', '--timeout', '1', '--remove-orphans').catch(() => {});
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Nothing but Node is in the image, and no port is published. */
const askingScript = `
  const [path, method, key, body] = process.argv.slice(1);
  const headers = { authorization: 'Bearer ' + key, 'content-type': 'application/json' };
  const answer = await fetch('http://127.0.0.1:3000' + path, { method, headers, body });
  console.log(JSON.stringify({ status: answer.status, body: await answer.json() }));
`;

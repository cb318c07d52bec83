// The real Compose file over the real image, as a project of its own, spoken to as an operator would.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { freePort } from '../kit/ports.ts';
import { previousRelease } from '../kit/previous-release.ts';

export const root = join(import.meta.dirname, '..', '..');

/** What stands in .env. */
type Settings = Readonly<Record<string, string>>;

export type Said = { readonly code: number; readonly output: string };

/** What the stand-in provider tells about a mail it took. */
export type TakenMail = {
  readonly id: string;
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly messageId: string;
  readonly tls: string;
  readonly user: string;
};

export type ComposeStack = AsyncDisposable & {
  readonly project: string;
  readonly apiUrl: string;
  /**
   * The same project after an operator has changed its settings, or has checked out another release; what runs does
   * not change before the next `up`.
   */
  given(
    environment: Settings,
    wishes?: { standIn?: boolean; release?: Release },
  ): Pick<ComposeStack, 'compose' | 'tryCompose'>;
  /** `docker compose ARGUMENTS` in this project; throws with its output when it fails. */
  compose(...argumentList: string[]): Promise<string>;
  /** The same, where failing is an answer. */
  tryCompose(...argumentList: string[]): Promise<Said>;
  /** The ids of a service's containers, running or not. */
  containers(service: string): Promise<string[]>;
  /** Asks the api, and waits for its answer as long as `patienceMs`. A text is sent as the body it is. */
  ask(method: string, path: string, body?: unknown, patienceMs?: number): Promise<Answer>;
  /** Everything the stand-in took so far, newest first. */
  mails(): Promise<TakenMail[]>;
};

// biome-ignore lint/suspicious/noExplicitAny: tests assert its shape, that is what they are for
export type Answer = { readonly status: number; readonly body: any };

export const image = 'postern:stack-test';
export const standInImage = 'postern:stack-test-stand-in';

/** A checkout with its Compose files, and the image that was built from it. */
export type Release = {
  readonly directory: string;
  readonly image: string;
  /** That of the stand-in provider. */
  readonly standInImage: string;
  /** Those that run our image. */
  readonly services: readonly string[];
};

const current: Release = {
  directory: root,
  image,
  standInImage,
  services: ['postern-migrate', 'postern-relay', 'postern-worker', 'postern-api'],
};

/** Runs docker and returns its standard output; throws with everything it said. */
export async function docker(...argumentList: string[]): Promise<string> {
  const { code, output } = await say(argumentList);
  if (code !== 0) throw new Error(`docker ${argumentList.join(' ')} failed with ${code}:\n${output}`);
  return output.trim();
}

let built: Promise<void> | undefined;

/** Builds the image that every project of this suite runs; the layers of an earlier build are used again. */
export function buildImage(): Promise<void> {
  built ??= sweep()
    .then(() => build(root, image))
    .then(() => build(root, standInImage, '--target', 'stand-in'));
  return built;
}

async function build(directory: string, tag: string, ...others: string[]): Promise<void> {
  const dockerfile = join(directory, 'deploy', 'Dockerfile');
  await docker('build', '--quiet', '--file', dockerfile, '--tag', tag, ...others, directory);
}

/**
 * The release before, with its image.
 *
 * @returns undefined in a clone without that history
 */
export async function buildPreviousRelease(): Promise<(Release & AsyncDisposable) | undefined> {
  const previous = await previousRelease();
  if (!previous) return undefined;
  const { version, directory } = previous;
  const tag = `postern:stack-test-${version}`;
  await build(directory, tag);
  const { services } = parse(await readFile(join(directory, 'docker-compose.yml'), 'utf8'), {
    merge: true,
  }) as {
    services: Record<string, { build?: unknown }>;
  };
  return {
    directory,
    image: tag,
    standInImage: tag,
    services: Object.keys(services).filter((name) => services[name]?.build !== undefined),
    [Symbol.asyncDispose]: () => previous[Symbol.asyncDispose](),
  };
}

/** A run that was killed could not clean up; the next one does. */
async function sweep(): Promise<void> {
  const label = 'com.docker.compose.project';
  const projects = await docker(
    'ps',
    '--all',
    '--filter',
    `label=${label}`,
    '--format',
    `{{.Label "${label}"}}`,
  );
  for (const project of new Set(projects.split('\n'))) {
    const [, owner] = /^posterntest(\d+)x[0-9a-f]+$/.exec(project) ?? [];
    if (owner && !isAlive(Number(owner))) await remove(project);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function remove(project: string): Promise<void> {
  // A paused container can be neither stopped nor removed.
  await say(['compose', '--project-name', project, 'unpause']);
  await say([
    'compose',
    '--project-name',
    project,
    'down',
    '--volumes',
    '--timeout',
    '1',
    '--remove-orphans',
  ]);
}

/**
 * A project with its own network, volumes and ports; disposing removes all of it.
 *
 * @param environment what an operator would put into .env. Nothing of the developer's own leaks in.
 * @param standIn whether a stand-in provider runs beside it and is configured.
 * @param release what runs in it at first; this checkout by default.
 */
export async function composeStack({
  environment = {},
  standIn = true,
  release = current,
}: {
  environment?: Settings;
  standIn?: boolean;
  release?: Release;
} = {}): Promise<ComposeStack> {
  await buildImage();
  const directory = await mkdtemp(join(tmpdir(), 'postern-stack-'));
  const project = `posterntest${process.pid}x${randomBytes(4).toString('hex')}`;
  const [apiPort, webPort] = [await freePort(), await freePort()];
  const apiKey = 'key-of-the-container-suite';
  const common = { API_PORT: String(apiPort), STAND_IN_PORT: String(webPort), API_KEY: apiKey };

  const given = (settings: Settings, wishes: { standIn?: boolean; release?: Release } = {}) => {
    const files = filesOf(directory, wishes.standIn ?? standIn, wishes.release ?? current);
    const prefix = ['compose', '--project-name', project, ...files.flatMap((file) => ['--file', file])];
    const tryCompose = (...argumentList: string[]) =>
      say([...prefix, ...argumentList], { ...common, ...settings });
    return {
      tryCompose,
      async compose(...argumentList: string[]): Promise<string> {
        const { code, output } = await tryCompose(...argumentList);
        if (code === 0) return output.trim();
        const { output: logs } = await tryCompose('logs', '--no-color', '--tail', '40');
        throw new Error(`docker compose ${argumentList.join(' ')} failed with ${code}:\n${output}\n${logs}`);
      },
    };
  };

  for (const each of new Set([current, release])) {
    for (const withStandIn of [true, false]) {
      await writeFile(imageFile(directory, withStandIn, each), imageOverride(withStandIn, each));
    }
  }
  const { compose, tryCompose } = given(environment, { release });

  return {
    project,
    apiUrl: `http://127.0.0.1:${apiPort}`,
    given,
    compose,
    tryCompose,
    async containers(service) {
      const ids = await compose('ps', '--all', '--quiet', service);
      return ids.split('\n').filter(Boolean);
    },
    async ask(method, path, body, patienceMs = 30_000) {
      const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
        method,
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${apiKey}` },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(patienceMs),
      });
      const text = await response.text();
      const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
      return { status: response.status, body: isJson ? JSON.parse(text) : text };
    },
    async mails() {
      const response = await fetch(`http://127.0.0.1:${webPort}/mail.json`, {
        signal: AbortSignal.timeout(30_000),
      });
      return (await response.json()) as TakenMail[];
    },
    async [Symbol.asyncDispose]() {
      await remove(project);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function filesOf(directory: string, standIn: boolean, release: Release): string[] {
  return [
    join(release.directory, 'docker-compose.yml'),
    ...(standIn ? [join(release.directory, 'deploy', 'compose', 'stand-in.yml')] : []),
    imageFile(directory, standIn, release),
  ];
}

const imageFile = (directory: string, standIn: boolean, { image: tag }: Release) =>
  join(directory, `${tag.replace(':', '-')}${standIn ? '-with-stand-in' : ''}.yml`);

/** The image is built once for the suite, not once for every project. */
function imageOverride(standIn: boolean, release: Release): string {
  const override = (image: string) => ({ image, pull_policy: 'never' });
  const ours = Object.fromEntries(release.services.map((name) => [name, override(release.image)]));
  return stringify({ services: standIn ? { ...ours, 'stand-in': override(release.standInImage) } : ours });
}

async function say(
  argumentList: string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Said> {
  try {
    const { PATH = '', HOME = '', DOCKER_HOST } = process.env;
    const { stdout, stderr } = await promisify(execFile)('docker', argumentList, {
      env: { PATH, HOME, ...(DOCKER_HOST ? { DOCKER_HOST } : {}), ...environment },
      maxBuffer: 64 * 1024 * 1024,
    });
    // Compose narrates on standard error; what was asked for is on standard output.
    return { code: 0, output: stdout || stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, output: `${stdout}${stderr}` };
  }
}

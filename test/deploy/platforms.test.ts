import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readApiEnvironment } from '../../deploy/environment.ts';
import { spellings } from '../../deploy/reading.ts';
import { type Reader, variableTable } from '../../deploy/variables.ts';
import { withVariables } from '../../deploy/variables-page.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (...path: string[]) => readFile(join(root, ...path), 'utf8');

const readers = ['api', 'relay', 'worker', 'migrate'] as const;
type Given = Readonly<Record<Reader, readonly string[]>>;

/** Variables under their own names; what is none of ours keeps its name. */
const canonical = new Map(
  Object.entries(variableTable).flatMap(([name, variable]) =>
    spellings(name, variable).map(({ setAs }) => [setAs, name] as const),
  ),
);

function foreignTo(reader: Reader, given: readonly string[]): string[] {
  return given.filter((each) => !variableTable[canonical.get(each) ?? '']?.readBy.includes(reader));
}

function missingFrom(
  reader: Reader,
  given: readonly string[],
  isWanted: (name: string) => boolean,
): string[] {
  const names = new Set(given.map((each) => canonical.get(each)));
  return Object.entries(variableTable)
    .filter(([name, { readBy }]) => readBy.includes(reader) && isWanted(name))
    .map(([name]) => name)
    .filter((name) => !names.has(name));
}

const isRequired = (name: string) => variableTable[name]?.required !== undefined;

describe('docker-compose.yml', async () => {
  const file = parse(await read('docker-compose.yml'), { merge: true });
  const given = Object.fromEntries(
    // SERVICE_… is for Coolify, and nothing elsewhere.
    readers.map((reader) => [
      reader,
      Object.keys(file.services[`postern-${reader}`].environment).filter(
        (name) => !name.startsWith('SERVICE_'),
      ),
    ]),
  ) as unknown as Given;

  test.each(readers)('hands %s all that it reads', (reader) => {
    expect(missingFrom(reader, given[reader], () => true)).toEqual([]);
  });

  test.each(readers)('hands %s nothing that it does not read', (reader) => {
    expect(foreignTo(reader, given[reader])).toEqual([]);
  });
});

describe('the key that docker-compose.yml has for a first try', async () => {
  const key = /API_KEY: .*:-([\w-]+)\}\}/.exec(await read('docker-compose.yml'))?.[1] ?? '';
  const environment = {
    DATABASE_URL: 'postgres://a:b@postgres:5432/c',
    RELAY_PASSWORD: 'long-and-random',
    API_KEY: key,
  };

  test.each(['http://localhost:3000', 'http://127.0.0.1:8080', 'http://[::1]:3000'])(
    'opens %s',
    (PUBLIC_URL) => {
      expect(readApiEnvironment({ ...environment, PUBLIC_URL }).apiKey).toBe(key);
    },
  );

  test.each(['https://mail.example.com', 'http://localhost.example.com', 'http://192.0.2.7:3000'])(
    'opens nothing for others: %s',
    (PUBLIC_URL) => {
      expect(() => readApiEnvironment({ ...environment, PUBLIC_URL })).toThrow(
        'API_KEY is the published example value of docker-compose.yml',
      );
      expect(
        readApiEnvironment({ ...environment, PUBLIC_URL, API_KEY: `another-${key}` }).publicUrl,
      ).toContain('//');
    },
  );
});

describe('render.yaml', async () => {
  type Entry = { key?: string; fromGroup?: string };
  const file = parse(await read('deploy', 'render.yaml')) as {
    envVarGroups: { name: string; envVars: Entry[] }[];
    services: { name: string; dockerCommand: string; preDeployCommand?: string; envVars: Entry[] }[];
  };
  const group = file.envVarGroups.flatMap(({ envVars }) => envVars.flatMap(({ key }) => key ?? []));
  const given = (reader: string) => {
    const service = file.services.find(({ name }) => name === `postern-${reader}`);
    return [...group, ...(service?.envVars ?? []).flatMap(({ key }) => key ?? [])];
  };

  test.each(['api', 'relay', 'worker'] as const)('gives %s what it cannot do without', (reader) => {
    expect(missingFrom(reader, given(reader), isRequired)).toEqual([]);
  });

  test.each(['api', 'relay', 'worker'] as const)('gives %s nothing that it does not read', (reader) => {
    // PORT is how Render is told where the api listens.
    expect(foreignTo(reader, given(reader)).filter((name) => name !== 'PORT')).toEqual([]);
  });

  test('runs what the Compose file runs', async () => {
    const compose = parse(await read('docker-compose.yml'), { merge: true });
    for (const reader of ['api', 'relay', 'worker'] as const) {
      const service = file.services.find(({ name }) => name === `postern-${reader}`);
      expect(service?.dockerCommand).toBe(compose.services[`postern-${reader}`].command.join(' '));
    }
    expect(file.services.find(({ preDeployCommand }) => preDeployCommand)?.preDeployCommand).toBe(
      compose.services['postern-migrate'].command.join(' '),
    );
  });
});

describe('the Kubernetes manifests', async () => {
  const folder = ['deploy', 'kubernetes'];
  const kustomization = parse(await read(...folder, 'kustomization.yaml'));
  const sources = new Map<string, string[]>();
  for (const { name, literals } of kustomization.configMapGenerator) {
    sources.set(
      name,
      literals.map((line: string) => line.split('=')[0]),
    );
  }
  for (const { name, envs } of kustomization.secretGenerator) {
    const text = await Promise.all(envs.map((file: string) => read(...folder, `${file}.example`)));
    sources.set(name, Object.keys(parseEnv(text.join('\n'))));
  }

  const sourceOf = (name: string) => [...sources].find(([, names]) => names.includes(name))?.[0];

  // biome-ignore lint/suspicious/noExplicitAny: manifests are as deep as they are wide
  const podOf = async (reader: Reader): Promise<any> => {
    const documents = parseAllDocuments(await read(...folder, `${reader}.yaml`)).map((each) => each.toJS());
    return documents.find(({ kind }) => kind === 'Deployment' || kind === 'Job').spec.template.spec;
  };
  const given = async (reader: Reader) => {
    const [container] = (await podOf(reader)).containers;
    return [
      ...container.envFrom.flatMap(
        (from: { configMapRef?: { name: string }; secretRef?: { name: string } }) =>
          sources.get((from.configMapRef ?? from.secretRef)?.name ?? ''),
      ),
      ...(container.env ?? []).map(({ name }: { name: string }) => name),
    ] as string[];
  };

  test.each(readers)('give %s what it cannot do without', async (reader) => {
    expect(missingFrom(reader, await given(reader), isRequired)).toEqual([]);
  });

  test.each(readers)('give %s no secret that it does not read', async (reader) => {
    const foreign = foreignTo(reader, await given(reader));
    // One map of names and addresses for all of them is worth more than one for each; secrets are another matter.
    expect(foreign.filter((name) => sourceOf(name) !== 'postern')).toEqual([]);
  });

  test.each(readers)('run %s as nobody in particular, on a root it cannot write to', async (reader) => {
    const { securityContext, containers, enableServiceLinks } = await podOf(reader);
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(containers[0].securityContext).toEqual({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(enableServiceLinks).toBe(false);
  });

  test('are of this release', async () => {
    const { version } = JSON.parse(await read('package.json'));
    expect(kustomization.images).toEqual([{ name: 'postern/postern', newTag: version }]);
  });
});

test('deploy/README.md lists the variables as they are (otherwise: node deploy/variables-page.ts)', async () => {
  const page = await read('deploy', 'README.md');
  expect(page).toBe(withVariables(page));
});

test('every npm command of the README exists', async () => {
  const { scripts } = JSON.parse(await read('package.json'));
  const readme = await read('README.md');
  const commands = [...readme.matchAll(/`npm (?:run )?([a-z:]+)`/g)].map(([, name]) => name as string);
  expect(commands.filter((name) => !(name in scripts))).toEqual([]);
});

test('every link of the manuals leads somewhere', async () => {
  for (const page of [
    ...['README.md', 'deploy/README.md', 'deploy/runbook.md'],
    ...['deploy/coolify/README.md', 'deploy/use-it-from/README.md', 'deploy/webhooks/README.md'],
  ]) {
    const text = await read(page);
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, heading] = target.split('#');
      const file = path ? join(page, '..', path) : page;
      const found = await read(file).catch((error: NodeJS.ErrnoException) =>
        error.code === 'EISDIR' ? '' : undefined,
      );
      expect.soft(found, `${page} → ${target}`).toBeDefined();
      if (!heading) continue;
      const headings = [...(found ?? '').matchAll(/^#+ (.+)$/gm)].map(([, words = '']) =>
        words
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .replaceAll(' ', '-'),
      );
      expect.soft(headings, `${page} → ${target}`).toContain(heading);
    }
  }
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the syntax of Compose.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readRelayEnvironment } from '../../../deploy/environment.ts';
import { dockerEngine } from '../../kit/docker.ts';
import { containersOf, type Deployment, emulateCoolify, type Typed } from './emulate.ts';
import { warningsAbout } from './warnings.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const ours = await readFile(join(root, 'deploy', 'coolify', 'postern.yaml'), 'utf8');
const git = await readFile(join(root, 'docker-compose.yml'), 'utf8');

const filledIn = {
  SMTP_HOST: { value: 'smtp.provider.test' },
  SMTP_USER: { value: 'postern@provider.test' },
  SMTP_PASSWORD: { value: 'Correct4Horse' },
  SMTP_FROM_EMAIL: { value: 'postern@provider.test' },
} satisfies Typed;

const receivedBy = (deployment: Deployment, service: string) => containersOf(deployment).get(service) ?? {};

/** The container's value, or why there is no container. */
function passwordIn(template: string, value: string, literal: boolean): string {
  const deployment = emulateCoolify(template, { ...filledIn, SMTP_PASSWORD: { value, literal } });
  try {
    return receivedBy(deployment, 'postern-relay').SMTP_PASSWORD ?? '(not there)';
  } catch (error) {
    return (error as Error).name;
  }
}

const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 24 });
// Random ASCII rarely holds two of the characters that bite.
const biting = fc.string({
  unit: fc.constantFrom('$', '#', "'", '"', '\\', ' ', 'a', '{', '}', '1', '=', '%'),
  minLength: 1,
  maxLength: 12,
});
const passwords = fc.oneof(printable, biting).filter((value) => value.trim() !== '');

describe('the template in the page "Docker Compose Empty"', () => {
  test('cannot be deployed before every required variable is filled in', () => {
    expect(emulateCoolify(ours, {}).blocking).toEqual(['SMTP_HOST', 'SMTP_USER', 'SMTP_FROM_EMAIL']);
    expect(emulateCoolify(ours, filledIn).blocking).toEqual([]);
  });

  test('a password is one of two fields: without both the relay says which variable is missing, with both it says so', () => {
    const { SMTP_PASSWORD: _, ...others } = filledIn;
    const relayOf = (typed: Typed) =>
      readRelayEnvironment(receivedBy(emulateCoolify(ours, typed), 'postern-relay'));
    expect(relayOf(others).missing).toEqual(['SMTP_PASSWORD']);
    const base64 = { value: Buffer.from("p'a$s").toString('base64') };
    expect(relayOf({ ...others, SMTP_PASSWORD_BASE64: base64 }).missing).toEqual([]);
    expect(relayOf({ ...filledIn, SMTP_PASSWORD_BASE64: base64 }).problems).toContainEqual(
      expect.objectContaining({ variable: 'SMTP_PASSWORD_BASE64', cause: 'env-two-sources' }),
    );
  });

  const required = Object.keys(filledIn).filter((name) => name !== 'SMTP_PASSWORD');
  test.each(required)('does not start without %s where no page stops it', (name) => {
    const deployment = emulateCoolify(ours, { ...filledIn, [name]: { value: '' } });
    expect(() => containersOf(deployment)).toThrow(`required variable ${name} is missing a value`);
  });

  test('gives a relay that finds nothing to complain about', () => {
    const relay = readRelayEnvironment(receivedBy(emulateCoolify(ours, filledIn), 'postern-relay'));
    expect(relay.missing).toEqual([]);
    expect(relay.problems.filter(({ severity }) => severity === 'problem')).toEqual([]);
    expect(relay.providers.map(({ host }) => host)).toEqual(['smtp.provider.test']);
  });

  test('gives every process the same generated secrets and the api the address of the domain', () => {
    const containers = containersOf(emulateCoolify(ours, filledIn));
    const [api, relay, worker, postgres] = [
      'postern-api',
      'postern-relay',
      'postern-worker',
      'postern-postgres',
    ].map((name) => containers.get(name));
    expect(api?.PUBLIC_URL).toBe('https://postern-api.example.com');
    expect(api?.API_KEY).toMatch(/^Generated/);
    expect(api?.API_KEY).not.toBe(api?.ADMIN_PASSWORD);
    expect(relay?.RELAY_PASSWORD).toMatch(/^Generated/);
    expect(api?.RELAY_PASSWORD).toBe(relay?.RELAY_PASSWORD);
    expect(worker?.RELAY_PASSWORD).toBe(relay?.RELAY_PASSWORD);
    const migrate = containers.get('postern-migrate');
    expect(migrate?.DATABASE_URL).toBe(
      `postgres://postern:${postgres?.POSTGRES_PASSWORD}@postern-postgres:5432/postern`,
    );
    for (const [name, process] of Object.entries({ api, relay, worker })) {
      const password = migrate?.[`DATABASE_${name.toUpperCase()}_PASSWORD`];
      expect(password).toMatch(/^Generated/);
      expect(process?.DATABASE_URL).toBe(
        `postgres://postern_${name}:${password}@postern-postgres:5432/postern`,
      );
    }
  });

  test.each([
    // What is typed, what the relay gets as it is, and what it gets with "Is Literal?".
    ['a$b', 'a', 'a$b'],
    ['a$$b', 'a$b', 'a$$b'],
    ['$2b$10$abc', '$2b$10', '$2b$10$abc'],
    ['a$1b', 'a$1b', 'a$1b'],
    ['a#b', 'a#b', 'a#b'],
    ['a #b', 'a', 'a #b'],
    ['a"b', 'a\\"b', 'a"b'],
    ["a'b", "a\\'b", 'ComposeRefusal'],
    ['a\\b', 'a\\\\b', 'a\\b'],
    ['ab\\', 'ab\\\\', 'ComposeRefusal'],
    ['@:/%!&;|`=', '@:/%!&;|`=', '@:/%!&;|`='],
    ['a b', 'a b', 'a b'],
    ['a${b', 'ComposeRefusal', 'a${b'],
  ])('delivers the password %s as documented', (typed, plain, literal) => {
    expect(passwordIn(ours, typed, false)).toBe(plain);
    expect(passwordIn(ours, typed, true)).toBe(literal);
  });

  test.each([false, true])('delivers what was typed, or the page warns (literal: %s)', (literal) => {
    fc.assert(
      fc.property(passwords, (typed) => {
        if (passwordIn(ours, typed, literal) === typed) return;
        expect(warningsAbout(typed, { literal })).not.toEqual([]);
      }),
      { numRuns: 3_000 },
    );
  });

  test('delivers every password in base64', () => {
    fc.assert(
      fc.property(passwords, fc.boolean(), (typed, literal) => {
        const value = Buffer.from(typed).toString('base64');
        const { SMTP_PASSWORD: _, ...others } = filledIn;
        const received = receivedBy(
          emulateCoolify(ours, { ...others, SMTP_PASSWORD_BASE64: { value, literal } }),
          'postern-relay',
        );
        expect(Buffer.from(received.SMTP_PASSWORD_BASE64 ?? '', 'base64').toString()).toBe(typed);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a password with a backslash put in by Coolify is named by the relay itself', () => {
    const relay = readRelayEnvironment(
      receivedBy(
        emulateCoolify(ours, { ...filledIn, SMTP_PASSWORD: { value: 'a"b4Horse' } }),
        'postern-relay',
      ),
    );
    expect(relay.problems).toContainEqual(
      expect.objectContaining({ variable: 'SMTP_PASSWORD', cause: 'env-escaped' }),
    );
  });
});

describe('docker-compose.yml as a git build pack', () => {
  test('gets generated secrets, never those of a local run', () => {
    const containers = containersOf(emulateCoolify(git, filledIn));
    const api = containers.get('postern-api') ?? {};
    expect(api.API_KEY).toBe('GeneratedSERVICEPASSWORD64API');
    expect(api.ADMIN_PASSWORD).toMatch(/^Generated/);
    expect(api.PUBLIC_URL).toBe('https://postern-api.example.com');
    expect(containers.get('postern-relay')?.RELAY_PASSWORD).toBe(api.RELAY_PASSWORD);
    expect(api.RELAY_PASSWORD).toMatch(/^Generated/);
    const migrate = containers.get('postern-migrate');
    expect(migrate?.DATABASE_URL).toContain(`:${containers.get('postern-postgres')?.POSTGRES_PASSWORD}@`);
    expect(api.DATABASE_URL).toContain(`:${migrate?.DATABASE_API_PASSWORD}@`);
    expect(migrate?.DATABASE_API_PASSWORD).toMatch(/^Generated/);
    expect(containers.get('postern-postgres')?.POSTGRES_PASSWORD).toMatch(/^Generated/);
  });

  test('asks for the provider on the page', () => {
    expect([...emulateCoolify(git, {}).rows.keys()]).toEqual(
      expect.arrayContaining(['SMTP_HOST', 'SMTP_PORT', 'SMTP_USER', 'SMTP_PASSWORD', 'SMTP_FROM_EMAIL']),
    );
  });

  test('starts without a provider, and the relay says what is missing', () => {
    const relay = readRelayEnvironment(receivedBy(emulateCoolify(git, {}), 'postern-relay'));
    expect(relay.missing).toEqual(['SMTP_HOST', 'SMTP_USER', 'SMTP_PASSWORD', 'SMTP_FROM_EMAIL']);
  });

  test('keeps the dollars of a literal password', () => {
    expect(passwordIn(git, 'p$ss#w"rd', true)).toBe('p$ss#w"rd');
  });
});

const engine = await dockerEngine();

test.skipIf(!engine.answers)(
  'the emulated Compose agrees with the real one',
  async () => {
    const values = [
      'plain',
      'a$b',
      'a$$b',
      '$2b$10$abc',
      'a$1b',
      'a #b',
      '#a',
      'a"b',
      "a'b",
      'a\\b',
      'ab\\',
      "x'y=z",
      '{"a":"$b"}',
      '${SMTP_HOST}',
      '${SMTP_HOST:-x}',
      '${NOPE:-${SMTP_HOST}}',
      '${',
      'a$',
      '%s `x` = ! & ; |',
      'tab\there',
      "''",
      '"',
      '$SMTP_HOST!',
      ...fc.sample(biting, { numRuns: 12, seed: 1047 }),
    ];
    for (const value of values) {
      for (const literal of [false, true]) {
        const deployment = emulateCoolify(ours, { ...filledIn, SMTP_PASSWORD: { value, literal } });
        let emulated: unknown;
        try {
          emulated = receivedBy(deployment, 'postern-relay').SMTP_PASSWORD;
        } catch {
          emulated = 'refused';
        }
        expect
          .soft({ value, literal, relay: await realPassword(deployment) })
          .toEqual({ value, literal, relay: emulated });
      }
    }
  },
  120_000,
);

/** What the container `postern-relay` would get, asked from `docker compose config`. */
async function realPassword({ environmentFile, environments }: Deployment): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-coolify-'));
  try {
    const services = Object.fromEntries(
      [...environments].map(([name, environment]) => [name, { image: 'x', env_file: ['.env'], environment }]),
    );
    await writeFile(join(directory, '.env'), environmentFile);
    await writeFile(join(directory, 'docker-compose.yml'), stringify({ services }));
    const { stdout } = await promisify(execFile)(
      'docker',
      [
        'compose',
        '--project-directory',
        directory,
        '--project-name',
        'emulated',
        'config',
        '--format',
        'json',
      ],
      { env: { PATH: process.env.PATH } },
    );
    const config = JSON.parse(stdout) as {
      services: Record<string, { environment: Record<string, string> }>;
    };
    // `config` writes what could be read again: every dollar twice.
    return (config.services['postern-relay']?.environment.SMTP_PASSWORD ?? '(not there)').replaceAll(
      '$$',
      '$',
    );
  } catch (error) {
    if ((error as { code?: unknown }).code === undefined) throw error;
    return 'refused';
  } finally {
    await rm(directory, { recursive: true });
  }
}

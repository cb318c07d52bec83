// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the syntax of Compose.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { dockerEngine } from '../../kit/docker.ts';
import { lintTemplate } from './lint.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const folder = join(root, 'deploy', 'coolify');
const ours = await readFile(join(folder, 'postern.yaml'), 'utf8');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };

const lint = (text: string) =>
  lintTemplate(text, { version, exists: (path) => existsSync(join(folder, path)) });

test('our template has no fault', () => {
  expect(lint(ours)).toEqual([]);
});

// One planted fault for every rule: what stands there, and what somebody might write instead.
test.each([
  ['header-key', '# category: email', '# category: email\n# note: see below'],
  ['header-twice', '\nservices:', '\n# port: 8025\nservices:'],
  ['header-missing', /# slogan: .*\n/, ''],
  ['header-documentation', '/docs/coolify', '/docs/coolify?from=coolify'],
  ['header-category', '# category: email', '# category: e mail'],
  ['header-port', '# port: 3000', '# port: 80000'],
  ['header-logo', 'svgs/postern.svg', 'svgs/postern.jpg'],
  ['yaml', 'services:\n', 'services:\n  postern-relay: {}\n'],
  ['yaml', 'restart: "no"', 'restart: !reset "no"'],
  ['yaml-tab', '    restart: "no"', '    restart: "no" \t'],
  ['final-newline', /\n$/, ''],
  ['services', /services:[\s\S]*/, 'services: {}\n'],
  ['top-level', 'services:\n', 'name: postern\nservices:\n'],
  ['service-name', '  postern-worker:', '  worker:'],
  ['service-name', '  postern-worker:', '  postern-job-worker:'],
  ['service-host', 'RELAY_HOST=postern-relay', 'RELAY_HOST=relay'],
  ['service-host', '@postern-postgres:5432', '@postgres:5432'],
  ['no-container_name', '  postern-api:\n', '  postern-api:\n    container_name: postern-api\n'],
  ['no-networks', '  postern-api:\n', '  postern-api:\n    networks: [default]\n'],
  ['no-profiles', '  postern-worker:\n', '  postern-worker:\n    profiles: [jobs]\n'],
  ['no-env_file', '  postern-relay:\n', '  postern-relay:\n    env_file: .env\n'],
  ['no-build', '  postern-relay:\n', '  postern-relay:\n    build: .\n'],
  ['no-ports', '  postern-relay:\n', '  postern-relay:\n    ports: ["2525:2525"]\n'],
  ['image', "'postgres:17-trixie'", 'postgres:latest'],
  ['image-version', `'postern/postern:${version}'`, "'postern/postern:9.9.9'"],
  ['healthcheck', / {4}healthcheck:\n.*9102.*\n.*\n.*\n.*\n.*\n/, ''],
  [
    'healthcheck-program',
    '["CMD", "bash", "deploy/healthcheck.sh", "3000", "/livez"]',
    '["CMD", "curl", "-f", "http://127.0.0.1:3000/livez"]',
  ],
  ['restart', '  postern-worker:\n', '  postern-worker:\n    restart: on-failure\n'],
  ['volume-name', 'postern-postgres:/var', '${DATA}:/var'],
  ['volume-bind', 'postern-postgres:/var', './data:/var'],
  ['volume-postgres', '/var/lib/postgresql/data', '/var/lib/postgresql'],
  ['order', 'service_completed_successfully', 'service_started'],
  ['order', / {4}depends_on:\n {6}postern-postgres:/, '    depends_on:\n      database:'],
  ['dollar', '$${POSTGRES_USER}', '$POSTGRES_USER'],
  ['hardening', '    read_only: true\n', ''],
  ['hardening', 'stop_grace_period: 30s', 'stop_grace_period: 2m'],
  ['env-key', '- SMTP_USER=', '- SMTP-USER='],
  ['env-operator', '=${RELAY_USERS}', '=${RELAY_USERS:+x}'],
  ['env-hidden', 'RELAY_USER=postern', 'RELAY_USER=SERVICE_postern'],
  ['env-required-text', '${SMTP_HOST:?}', '${SMTP_HOST:?set it in the platform}'],
  ['env-secret-inlined', 'SMTP_PASSWORD=${SMTP_PASSWORD}', 'SMTP_PASSWORD=${SMTP_PASSWORD:-}'],
  ['env-undiscovered', 'LOG_LEVEL=${LOG_LEVEL:-info}', 'LOG_LEVEL=info${SUFFIX}'],
  ['env-undiscovered', "'postgres:17-trixie'", "'postgres:${POSTGRES_TAG}'"],
  ['magic-unknown', 'SERVICE_PASSWORD_64_RELAY', 'SERVICE_PASSWORD_RELAY_HOP'],
  ['magic-symbols', 'SERVICE_PASSWORD_64_API', 'SERVICE_PASSWORDWITHSYMBOLS_API'],
  ['magic-in-url', 'SERVICE_PASSWORD_64_POSTGRES', 'SERVICE_REALBASE64_64_POSTGRES'],
  ['magic-domain', '- SERVICE_URL_POSTERN_API_3000', '- SERVICE_URL_WEB_3000'],
  ['magic-domain', '- SERVICE_URL_POSTERN_API_3000', '- SERVICE_URL_POSTERN_API'],
  ['magic-domain', '      - SERVICE_URL_POSTERN_API_3000\n', ''],
  ['contract-unknown', 'SMTP_FROM_NAME=', 'SMTP_SENDER_NAME='],
  [
    'contract-foreign',
    '      - RELAY_HOST=postern-relay\n      - RELAY_PORT=2525\n      - RELAY_USER',
    '      - SMTP_PASSWORD=${SMTP_PASSWORD}\n      - RELAY_USER',
  ],
  ['contract-missing', '      - SMTP_USER=${SMTP_USER}\n', ''],
  ['guard', '      - REQUIRED_SMTP_USER=${SMTP_USER:?}\n', ''],
  ['guard', '- REQUIRED_SMTP_USER=', '- SMTP_USER='],
] as const)('a template with a fault of the kind %s is refused (%#)', (rule, text, instead) => {
  const faulty = typeof text === 'string' ? ours.replaceAll(text, instead) : ours.replace(text, instead);
  expect(faulty).not.toBe(ours);
  expect(lint(faulty).map((fault) => fault.rule)).toContain(rule);
});

test('what Coolify stores, which is the file without its comments, means the same', () => {
  const stored = stringify(parse(ours, { merge: true }));
  expect(parse(stored)).toEqual(parse(ours, { merge: true }));
});

const engine = await dockerEngine();

test.skipIf(!engine.answers)(
  'Compose finds nothing wrong with it, asked as the button "Validate" asks',
  async () => {
    const { stderr } = await promisify(execFile)(
      'docker',
      [
        'compose',
        '--file',
        join(folder, 'postern.yaml'),
        'config',
        '--no-interpolate',
        '--no-path-resolution',
        '--quiet',
      ],
      { env: { PATH: process.env.PATH } },
    );
    expect(stderr).toBe('');
  },
);

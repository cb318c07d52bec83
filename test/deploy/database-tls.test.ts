// TLS to a real PostgreSQL that has a certificate of a private authority, as managed ones have.
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { readMigrateEnvironment } from '../../deploy/environment.ts';
import { createAuthority } from '../kit/certificate.ts';
import { urlOfProcess } from '../kit/database.ts';
import { accountForServers, type EmbeddedPostgres, startEmbeddedPostgres } from '../kit/embedded.ts';
import { startProcess } from '../kit/process.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

let server: EmbeddedPostgres;
let directory: string;
const files = { ours: '', strangers: '', empty: '', away: '' };
let owner: pg.Client;

/** Nobody gets in without TLS; the certificate is for localhost and for no address. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-database-tls-'));
  await chmod(directory, 0o755);
  for (const name of Object.keys(files) as (keyof typeof files)[])
    files[name] = join(directory, `${name}.pem`);
  const [authority, stranger] = [await createAuthority(), await createAuthority()];
  await writeFile(files.ours, `${stranger.cert}\n${authority.cert}\n`);
  await writeFile(files.strangers, stranger.cert);
  await writeFile(files.empty, 'nothing\n');
  const { cert, key } = await authority.issue({ names: ['localhost'] });
  const { uid, gid = uid } = await accountForServers();
  for (const [name, text] of Object.entries({ cert, key })) {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined) await chown(join(directory, name), uid, gid);
  }
  server = await startEmbeddedPostgres();
  owner = new pg.Client({ connectionString: server.url });
  await owner.connect();
  const { rows } = await owner.query('show hba_file');
  await writeFile(rows[0].hba_file, 'hostssl all all all scram-sha-256\n');
  for (const [name, file] of Object.entries({ cert: 'cert', key: 'key' }))
    await owner.query(`alter system set ssl_${name}_file = '${join(directory, file)}'`);
  await owner.query('alter system set ssl = on');
  await owner.query('select pg_reload_conf()');
  await until(async () => (await owner.query('show ssl')).rows[0].ssl === 'on');
}, 60_000);
afterAll(async () => {
  await owner?.end();
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

function addressOf(host: string, sslmode?: string): string {
  const url = new URL(server.url);
  url.hostname = host;
  if (sslmode !== undefined) url.searchParams.set('sslmode', sslmode);
  return url.href;
}

const otherName = /does not match certificate|is not in the cert/;
const unknown = /certificate/;

test.each([
  ['localhost', undefined, 'ours', true],
  ['localhost', 'require', 'ours', true],
  ['localhost', 'verify-ca', 'ours', true],
  ['localhost', 'verify-full', 'ours', true],
  // The name counts, except in the mode that leaves it out.
  ['127.0.0.1', undefined, 'ours', otherName],
  ['127.0.0.1', 'require', 'ours', otherName],
  ['127.0.0.1', 'verify-full', 'ours', otherName],
  ['127.0.0.1', 'verify-ca', 'ours', true],
  // No mode accepts another authority.
  ['localhost', undefined, 'strangers', unknown],
  ['localhost', 'require', 'strangers', unknown],
  ['localhost', 'verify-ca', 'strangers', unknown],
  ['localhost', 'verify-full', 'strangers', unknown],
  // Without a file the public authorities count.
  ['localhost', 'prefer', undefined, unknown],
  ['localhost', 'require', undefined, unknown],
  ['localhost', 'verify-ca', undefined, unknown],
  ['localhost', 'verify-full', undefined, unknown],
  // What the address forgoes.
  ['localhost', 'no-verify', undefined, true],
  ['localhost', 'disable', undefined, /no encryption/],
  ['localhost', undefined, undefined, /no encryption/],
] as const)('%s with sslmode=%s and the authority: %s', async (host, sslmode, file, expected) => {
  const environment = {
    DATABASE_URL: addressOf(host, sslmode),
    ...(file && { DATABASE_CA_FILE: files[file] }),
  };
  await using database = openDatabase({
    ...readMigrateEnvironment(environment).database,
    applicationName: 'test',
  });
  const asked = database.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
  if (expected === true) expect((await asked).rows).toEqual([{ ssl: true }]);
  else await expect(asked).rejects.toThrow(expected);
});

test.each([
  ['away', '', /^.*DATABASE_CA_FILE names a file that cannot be read: ENOENT/m],
  ['empty', '', /DATABASE_CA_FILE names a file without a certificate/],
  ['ours', '?sslmode=disable', /DATABASE_CA_FILE is set, but DATABASE_URL asks for no check \(disable\)/],
  ['ours', '?sslmode=no-verify', /asks for no check \(no-verify\)/],
  ['ours', '?sslrootcert=/x.pem', /DATABASE_URL names an authority in sslrootcert/],
] as const)('the file %s with the address %s is a problem', (file, query, words) => {
  const environment = { DATABASE_URL: `postgres://a:b@db.example/c${query}`, DATABASE_CA_FILE: files[file] };
  expect(() => readMigrateEnvironment(environment)).toThrow(words);
});

test.each([
  ['strangers', 'localhost', 'Set DATABASE_CA_FILE to a PEM file'],
  ['ours', '127.0.0.1', 'Use the host name that the certificate is for'],
  [undefined, 'localhost', 'Add ?sslmode=verify-full to the address'],
] as const)('with the authority %s at %s a process says what to do, and exits', async (file, host, words) => {
  await using started = await startProcess({
    script: 'deploy/migrate.ts',
    environment: { DATABASE_URL: addressOf(host), ...(file && { DATABASE_CA_FILE: files[file] }) },
  });
  expect(await started.exited, started.output).toMatchObject({ code: 78 });
  expect(started.output).toContain(words);
});

test('everything that Postern does goes over TLS: migration, roles, and a mail', async () => {
  const url = addressOf('localhost');
  const [api, relay, worker] = (['api', 'relay', 'worker'] as const).map((process) =>
    decodeURIComponent(new URL(urlOfProcess(url, process)).password),
  ) as [string, string, string];
  await using migrated = await startProcess({
    script: 'deploy/migrate.ts',
    environment: {
      DATABASE_URL: url,
      DATABASE_CA_FILE: files.ours,
      DATABASE_API_PASSWORD: api,
      DATABASE_RELAY_PASSWORD: relay,
      DATABASE_WORKER_PASSWORD: worker,
    },
  });
  expect(await migrated.exited, migrated.output).toMatchObject({ code: 0 });
  expect(migrated.output).not.toContain('SECURITY WARNING');

  const more = { DATABASE_CA_FILE: files.ours };
  const query = (text: string, values: readonly unknown[] = []) => owner.query(text, [...values]);
  await using stack = await startStack({ database: { url, query }, api: more, relay: more, worker: more });
  const mail = { to: 'ann@example.com', subject: 'Over TLS', text: 'Hello' };
  expect((await stack.api.post('/api/v1/emails', mail)).status).toBe(202);
  await until(() => stack.provider.messages.length, { what: 'the mail to be with the provider' });
});

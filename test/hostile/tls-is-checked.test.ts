// Attack: somebody in the middle has a certificate of their own, and the environment says not to check any.
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { readRelayEnvironment, scrubEnvironment } from '../../deploy/environment.ts';
import { post } from '../../relay/alerts/post.ts';
import { tlsOptions } from '../../relay/smtp/connect.ts';
import { createAuthority } from '../kit/certificate.ts';

const authority = await createAuthority();
const stranger = await createAuthority();
let port = 0;
const server = createTlsServer(await stranger.issue(), (socket) => socket.end('220 hello\r\n'));
beforeAll(async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.close();
});

const outcomeOf = (options: object) =>
  new Promise<string>((resolve) => {
    const socket = connectTls({ port, ...options }, () => resolve('connected'));
    socket.on('error', ({ message }) => resolve(message)).on('data', () => socket.end());
  });

test('the provider is checked all the same', async () => {
  const route = { host: 'localhost' } as Parameters<typeof tlsOptions>[0];
  // That the switch works is what makes the other two lines worth something.
  expect(await outcomeOf({ host: 'localhost' })).toBe('connected');
  expect(await outcomeOf(tlsOptions(route, [authority.cert]))).toMatch(/certificate/);
  expect(await outcomeOf(tlsOptions(route, [stranger.cert]))).toBe('connected');
});

/** Answers a client of PostgreSQL that it may go on in TLS, with the stranger's certificate. */
async function listenAsPostgres() {
  const { key, cert } = await stranger.issue();
  const postgres = createServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.write('S');
        const secure = new TLSSocket(socket, { isServer: true, key, cert });
        secure.on('error', () => {}).once('data', () => secure.destroy());
      });
  });
  await new Promise<void>((resolve) => postgres.listen(0, '127.0.0.1', resolve));
  const { port: at } = postgres.address() as AddressInfo;
  return { at, [Symbol.asyncDispose]: async () => void postgres.close() };
}

test.each([
  ['sslmode=verify-full', /certificate/],
  ['ssl=true', /certificate/],
  // What the address forgoes, and that the handshake succeeds then.
  ['sslmode=no-verify', /terminated/],
])('PostgreSQL with %s', async (parameter, outcome) => {
  await using postgres = await listenAsPostgres();
  await using database = openDatabase({
    url: `postgres://postern:secret@localhost:${postgres.at}/postern?${parameter}`,
    applicationName: 'test',
  });
  await expect(database.query('select 1')).rejects.toThrow(outcome);
  await expect(database.connect()).rejects.toThrow(outcome);
});

test('the receiver of alerts is checked all the same', async () => {
  const heard: string[] = [];
  const receiver = createHttpsServer(await stranger.issue(), ({ url = '' }, response) => {
    heard.push(url);
    response.end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${(receiver.address() as AddressInfo).port}`;
  try {
    expect((await fetch(`${url}/by-fetch`)).status).toBe(200);
    const posted = post(`${url}/alert`, { headers: {}, body: '{}', signal: AbortSignal.timeout(5_000) });
    await expect(posted).rejects.toThrow(/certificate/);
    expect(heard).toEqual(['/by-fetch']);
  } finally {
    receiver.close();
    receiver.closeAllConnections();
  }
});

test('every process takes the switch away from its libraries, and says that it is set', async () => {
  const settings = {
    DATABASE_URL: 'postgres://postern@db.example/postern',
    RELAY_PASSWORD: 'Vq7pYs2dHf6kXt1uWz4e',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  };
  expect(readRelayEnvironment(settings).warnings).toMatchObject([
    { variable: 'NODE_TLS_REJECT_UNAUTHORIZED', cause: 'env-tls-unchecked' },
  ]);
  for (const process of ['api', 'relay', 'worker', 'migrate'] as const) {
    const environment: Record<string, string | undefined> = { ...settings };
    scrubEnvironment(environment, process);
    expect(environment).not.toHaveProperty('NODE_TLS_REJECT_UNAUTHORIZED');
  }
});

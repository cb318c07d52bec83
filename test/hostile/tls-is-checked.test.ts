// Attack: somebody in the middle has a certificate of their own, and the environment says not to check any.
import type { AddressInfo } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readRelayEnvironment, scrubEnvironment } from '../../deploy/environment.ts';
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

// How fast mail passes through: from the first octet in to the provider's last 250, in one run, so that accepting and
// delivering share the machine as they do in life. The same sender, the same provider and as many connections against
// Postfix and Haraka.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../kit/certificate.ts';
import { createTemplate, freshDatabase, type Template } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';
import { type Haraka, startHaraka } from './haraka.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, startPostfix, whyNoPostfix } from './postfix.ts';
import { type Sink, startCountingSink, towards } from './sink.ts';

const rounds = 3;
const sessions = 50;
const connections = 20;
const messages = { postern: 6_000, postfix: 2_000, haraka: 2_000 };

const patience = { timeoutMs: 300_000, what: 'everything to arrive' };

export const deliver: Benchmark = async (say) => {
  const absent = await whyNoPostfix();
  if (absent) throw new Error(`smtp-source, which sends the mail, comes with Postfix: ${absent}`);
  await using server = await startPostgres({ kind: 'embedded' });
  const template = await createTemplate(server.url);
  await using certificate = await makeCertificate();

  const measurements: Measurement[] = [];
  for (const { what, target, tls } of [
    { what: 'accept to provider’s 250, drained, plain', target: '≥ 2.5 × Postfix, ≥ 3 × Haraka', tls: false },
    { what: 'the same with TLS and AUTH to the provider', target: '≥ 2.5 × Postfix', tls: true },
  ]) {
    await using sink = await startCountingSink(tls ? certificate : {});
    await using relay = await startRelay(template, sink, tls ? certificate : undefined);
    await using postfix = await startPostfix({
      relayTo: sink.port,
      settings: [
        `smtp_destination_concurrency_limit = ${connections}`,
        `initial_destination_concurrency = ${connections}`,
        ...(tls ? await postfixTls(certificate, sink) : []),
      ],
    });
    // In the clear only: over TLS with AUTH it would need a plugin of ours in its way.
    await using haraka = await harakaFor(sink, tls, say);
    const rates = { postern: [] as number[], postfix: [] as number[], haraka: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      rates.postfix.push(await measureThrough(sink, postfix.port, messages.postfix));
      rates.postern.push(await measureThrough(sink, relay.relay.port, messages.postern));
      if (haraka) rates.haraka.push(await measureThrough(sink, haraka.port, messages.haraka));
      const last = Object.entries(rates).map(([name, each]) => `${name} ${each.at(-1)?.toFixed(0) ?? '–'}/s`);
      say(`${what}: ${last.join(', ')}`);
    }
    measurements.push({
      what,
      unit: 'messages/s',
      postern: median(rates.postern),
      postfix: median(rates.postfix),
      haraka: haraka && median(rates.haraka),
      target,
      detail: { rounds: rates, bytes: 4_096, connections },
    });
  }
  return measurements;
};

async function harakaFor(sink: Sink, tls: boolean, say: (line: string) => void): Promise<Haraka | undefined> {
  if (tls) return undefined;
  const haraka = await startHaraka(sink.port);
  if (typeof haraka !== 'string') return haraka;
  say(haraka);
  return undefined;
}

/** From the first connection to the last message at the provider. */
async function measureThrough(sink: Sink, port: number, count: number): Promise<number> {
  const before = sink.taken;
  const started = performance.now();
  await measureSource({ port, messages: count, sessions, reuse: true });
  await until(() => sink.taken >= before + count, patience);
  return count / ((performance.now() - started) / 1000);
}

type Certificate = { readonly certFile: string; readonly keyFile: string; readonly caFile: string };

function startRelay(template: Template, sink: Sink, certificate: Certificate | undefined) {
  return freshDatabase(template).then((database) =>
    startStack({
      database,
      processes: ['relay'],
      provider: false,
      relay: {
        ...towards(sink),
        SMTP_MAX_CONNECTIONS: String(connections),
        ...(certificate && {
          SMTP_TLS_MODE: 'implicit',
          SMTP_USER: 'ann@example.com',
          SMTP_PASSWORD: 'a password',
          SMTP_CA_FILE: certificate.caFile,
        }),
      },
    }),
  );
}

async function makeCertificate(): Promise<Certificate & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-tls-'));
  const authority = await createAuthority();
  const { cert, key } = await authority.issue();
  const files = {
    certFile: join(directory, 'cert.pem'),
    keyFile: join(directory, 'key.pem'),
    caFile: join(directory, 'ca.pem'),
  };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
  await writeFile(files.caFile, authority.cert);
  return { ...files, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** What Postfix needs to sign in over implicit TLS. */
async function postfixTls({ caFile }: Certificate, sink: Sink): Promise<string[]> {
  const passwords = join(caFile, '..', 'passwords');
  await writeFile(passwords, `[127.0.0.1]:${sink.port} ann@example.com:password\n`);
  return [
    'smtp_tls_wrappermode = yes',
    'smtp_tls_security_level = encrypt',
    `smtp_tls_CAfile = ${caFile}`,
    'smtp_sasl_auth_enable = yes',
    `smtp_sasl_password_maps = texthash:${passwords}`,
    'smtp_sasl_security_options =',
    'smtp_sasl_tls_security_options =',
  ];
}

// `npm run doctor`: tells whether mail can leave from here, and if not, which stage fails, why, and what to type where.
// Exit code 0 only when mail can leave. Prints no secret and spends at most one AUTH for each credential.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Database, openDatabase } from '../../deploy/database.ts';
import { DotEnvError, parseDotEnv } from '../../deploy/dot-env.ts';
import { EnvironmentError } from '../../deploy/environment.ts';
import { asWrongAddress, expectOwnSessions } from '../../deploy/pooler.ts';
import { openTokens, type Tokens } from '../tokens/tokens.ts';
import { authorize } from './authorize.ts';
import { composeCanary } from './canary.ts';
import { type Controls, usualControls } from './controls.ts';
import { describe } from './describe.ts';
import { examine } from './examine.ts';
import { lookAtDomains } from './look-at-domains.ts';
import { lookAtMailbox } from './look-at-mailbox.ts';
import { lookForMissingCommits } from './missing-commits.ts';
import { detectPlatform, isInContainer, type Platform } from './platform.ts';
import { compareWithRelay, lookAtRole, lookAtWebhooks, lookForMisplaced } from './processes.ts';
import { explainFinding, readSettings, type SettingsReading } from './settings.ts';
import { askPermission, recordTakenSender } from './sign-in-permission.ts';

const usage = `Usage: npm run doctor -- [--json] [--canary] [--no-controls] [--control-smtp HOST:PORT] [--control-web HOST:PORT]
       npm run doctor -- --domain [--json] [DOMAIN ...]
       npm run doctor -- authorize [SMTP2]

  authorize        for OAuth2: allow sending from a mailbox in a browser, and print what to set
  --domain         look at what DNS says of the senders' domains (SPF, DKIM, DMARC, MX) instead of the provider
  --json           one JSON object instead of text
  --canary         also send a short message to SMTP_FROM_EMAIL: some providers refuse a sender only then
  --no-controls    connect to nobody but the provider
  --control-smtp   the mail server to compare with when the provider cannot be reached
  --control-web    the web server to compare with
`;

const options = {
  domain: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  canary: { type: 'boolean', default: false },
  controls: { type: 'boolean', default: true },
  'control-smtp': { type: 'string' },
  'control-web': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

/** A database that does not answer at once is left out: the doctor is asked when things are broken. */
const databasePatienceMs = 1_500;

type Wishes = NonNullable<ReturnType<typeof readWishes>>['values'];

// The system's resolver cannot be interrupted, and with its usual limits a silent name server would hold this
// process for half a minute after the last word (resolv.conf(5)).
process.env.RES_OPTIONS ??= 'timeout:1 attempts:2';
process.exit(await run(readWishes()));

/** @returns the exit code: 0 when mail can leave, 1 when it cannot, 2 when it was not understood what to do */
async function run(understood: ReturnType<typeof readWishes>): Promise<0 | 1 | 2> {
  const wishes = understood?.values;
  if (wishes === undefined || wishes.help) {
    process.stderr.write(usage);
    return 2;
  }
  const dotEnv = readDotEnv();
  if (dotEnv instanceof DotEnvError) {
    process.stderr.write(`${dotEnv.message}\n`);
    return 1;
  }
  const source = { ...dotEnv, ...process.env };
  const platform = detectPlatform(source, { inContainer: isInContainer() });
  const reading = readSettings(source, platform.id);
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  if (wishes.domain) {
    await using database = openIfSet(reading);
    const { text, ok } = await lookAtDomains(reading.environment, understood?.domains ?? [], {
      ...wishes,
      colour,
      database,
    });
    await print(text);
    return ok ? 0 : 1;
  }
  if (understood?.authorize !== undefined) {
    const isAllowed = await authorize(source, understood.authorize, {
      say: (text) => process.stdout.write(text),
      input: process.stdin,
      isTerminal: process.stdout.isTTY === true,
      platform: platform.id,
      signal: new AbortController().signal,
    });
    return isAllowed ? 0 : 1;
  }
  const from = reading.environment.from?.email;
  const controls = wishes.controls && controlsFor(wishes, reading.environment.providers);
  await using database = openIfSet(reading);
  const known = await askDatabase(database, reading, platform);
  const tokens = tokensFor(reading, 'askPermission' in known ? database : undefined);
  const mailbox = lookAtMailbox(reading, {
    tokens,
    database: 'askPermission' in known ? database : undefined,
  });
  const examination = await examine({
    mailbox,
    reading,
    platform,
    ...(controls !== undefined && { controls }),
    ...known,
    tokens,
    ...(wishes.canary && from !== undefined && { canary: () => composeCanary(from, new Date()) }),
  });
  await print(wishes.json ? `${JSON.stringify(examination, null, 2)}\n` : describe(examination, { colour }));
  return examination.ok ? 0 : 1;
}

/**
 * Kept in the database as by the relay. Without one, a provider that gives each refresh token once would lose the only
 * one that it takes: then none is asked for.
 */
function tokensFor({ environment }: SettingsReading, database: Database | undefined): Tokens | undefined {
  const mayLose = environment.providers.some(
    ({ oauth2 }) => oauth2?.provider === 'custom' && oauth2.grant === 'refresh-token',
  );
  if (!database && mayLose) return undefined;
  return openTokens({ database, instance: randomUUID(), signal: new AbortController().signal });
}

/** Resolves when a pipe has taken all of it. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

function readWishes() {
  try {
    const { values, positionals } = parseArgs({ options, allowNegative: true, allowPositionals: true });
    const [first, prefix = 'SMTP'] = positionals;
    if (first === 'authorize' && !values.domain) {
      if (positionals.length > 2 || (prefix !== 'SMTP' && prefix !== 'SMTP2')) return undefined;
      return { values, domains: [], authorize: prefix as 'SMTP' | 'SMTP2' };
    }
    return values.domain || positionals.length === 0 ? { values, domains: positionals } : undefined;
  } catch {
    return undefined;
  }
}

/** What `npm start` and Compose would read; what is set in the process comes first. */
function readDotEnv(): Record<string, string | undefined> | DotEnvError {
  let text: string;
  try {
    text = readFileSync('.env', 'utf8');
  } catch {
    return {};
  }
  try {
    return parseDotEnv(text, process.env);
  } catch (error) {
    if (error instanceof DotEnvError) return error;
    throw error;
  }
}

function openIfSet({ database }: SettingsReading): Database | undefined {
  return database && openDatabase({ ...database, applicationName: 'postern doctor', max: 2 });
}

/** What the installation knows, and its budget of AUTH; without a database both are missed, and that is said. */
async function askDatabase(
  database: Database | undefined,
  { environment }: SettingsReading,
  { id }: Platform,
) {
  if (!database) return {};
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(late.reject, databasePatienceMs, new Error('no answer'));
  try {
    const asked = lookAtAddress(database).then(() =>
      Promise.all([
        lookForMisplaced(database, environment, id),
        compareWithRelay(database, environment),
        lookAtRole(database),
        lookAtWebhooks(database),
        lookForMissingCommits(database),
      ]),
    );
    const [findings, ...notes] = await Promise.race([asked, late.promise]);
    const instance = randomUUID();
    return {
      findings,
      notes: notes.flat(),
      askPermission: (provider: (typeof environment.providers)[number]) =>
        askPermission(database, provider, { instance, asks: 'person' }),
      senderTaken: recordTakenSender(database),
    };
  } catch (error) {
    const wrong = error instanceof EnvironmentError ? error : asWrongAddress(error, database);
    if (wrong) return { findings: wrong.problems.map((problem) => explainFinding(problem, id)) };
    const note =
      'The database of DATABASE_URL does not answer from here, so nothing is known of the running relay, and sign-ins are not counted together with it.';
    return { notes: [note] };
  } finally {
    clearTimeout(timer);
  }
}

/** Throws what every process would exit for. */
async function lookAtAddress(database: Database): Promise<void> {
  await using session = await database.connect();
  await expectOwnSessions(database, session);
}

/** Undefined where nothing was wished: then the examination chooses. */
function controlsFor(given: Wishes, providers: readonly { readonly host: string }[]): Controls | undefined {
  const smtp = hostAndPort(given['control-smtp']);
  const web = hostAndPort(given['control-web']);
  if (!smtp && !web) return undefined;
  const usual = usualControls(providers.map(({ host }) => host));
  return {
    smtp: smtp ? { host: smtp.host, ports: [smtp.port] } : usual.smtp,
    web: web ?? usual.web,
  };
}

function hostAndPort(text: string | undefined): { host: string; port: number } | undefined {
  const [, host, port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(text ?? '') ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}

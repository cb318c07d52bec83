// What a local run starts, with which settings: everything the person at the terminal set stays as it is,
// everything else is invented, and what was invented is kept in .postern/ for the next start.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DotEnvError, parseDotEnv } from '../dot-env.ts';
import { readMigrateEnvironment } from '../environment.ts';
import { listGiven, type Source, spellings } from '../reading.ts';
import { type RolePasswords, roleOf, urlAs } from '../roles.ts';
import { type Reader, type VariableName, variables, variableTable } from '../variables.ts';
import { choosePort } from './ports.ts';
import { Trouble } from './trouble.ts';

export type Plan = {
  /** undefined: the person brought a database. */
  readonly postgres: { readonly port: number; readonly password: string } | undefined;
  readonly databaseUrl: string | undefined;
  /** Passwords for a role of each process; undefined where the person brought a database and none of them. */
  readonly roles: RolePasswords | undefined;
  /** undefined: the person brought a provider. */
  readonly standIn: { readonly flags: readonly string[]; readonly webUrl: string } | undefined;
  readonly apiUrl: string;
  readonly relayAddress: string;
  readonly apiKey: string;
  readonly adminPassword: string;
  readonly readiness: Readonly<Record<'api' | 'relay' | 'worker', string>>;
  /** Log lines that warn of settings which are ours: that the stand-in is this machine, for one. */
  isNoise(line: string): boolean;
  /** The environment of one process: what it reads of the contract, and nothing the others read. */
  environmentOf(reader: keyof typeof roleOf, databaseUrl: string): Record<string, string>;
};

/**
 * Reads the wishes of the person at the terminal: the environment, and below it the file .env, as Compose does.
 * Blank is missing in both.
 */
export async function readWishes(root: string, environment: Source): Promise<Record<string, string>> {
  const file = await readFile(join(root, '.env'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return { ...withoutBlanks(readAsCompose(file, environment)), ...withoutBlanks(environment) };
}

function readAsCompose(file: string, environment: Source): Record<string, string> {
  try {
    return parseDotEnv(file, environment);
  } catch (error) {
    throw error instanceof DotEnvError ? new Trouble(error.message) : error;
  }
}

/** Decides ports and secrets. Throws a Trouble when a port that was asked for is taken. */
export async function makePlan(wishes: Readonly<Record<string, string>>, folder: string): Promise<Plan> {
  const secrets = await keptSecrets(join(folder, 'secrets.json'));
  const port = (variable: string, usual: number) => {
    const value = wishes[variable];
    return choosePort(usual, value === undefined ? undefined : { variable, value });
  };
  const apiPort = await port('API_PORT', 3000);
  const relayPort = await port('RELAY_PORT', 2525);
  const relayHealthPort = await port('RELAY_HEALTH_PORT', 9101);
  const workerHealthPort = await port('WORKER_HEALTH_PORT', 9102);
  const hasDatabase = isSet(wishes, 'DATABASE_URL') || isSet(wishes, 'DATABASE_DIRECT_URL');
  const migration = hasDatabase ? readMigrateEnvironment(wishes) : undefined;
  const roles = migration ? migration.roles : secrets.rolePasswords;
  const provider = isSet(wishes, 'SMTP_HOST') ? undefined : await planStandIn(folder, secrets);
  const apiUrl = `http://localhost:${apiPort}`;

  const settings: Record<string, string> = {
    API_BIND: '127.0.0.1',
    PUBLIC_URL: apiUrl,
    RELAY_BIND: '127.0.0.1',
    ...unlessSet(wishes, {
      API_KEY: secrets.apiKey,
      ADMIN_PASSWORD: secrets.adminPassword,
      RELAY_PASSWORD: secrets.relayPassword,
    }),
    ...wishes,
    API_PORT: String(apiPort),
    RELAY_HOST: '127.0.0.1',
    RELAY_PORT: String(relayPort),
    RELAY_HEALTH_PORT: String(relayHealthPort),
    WORKER_HOST: '127.0.0.1',
    WORKER_HEALTH_PORT: String(workerHealthPort),
    ...provider?.settings,
  };

  return {
    postgres: hasDatabase
      ? undefined
      : { port: await choosePort(54_320), password: secrets.databasePassword },
    databaseUrl: migration?.database.url,
    roles,
    standIn: provider,
    apiUrl,
    relayAddress: `127.0.0.1:${relayPort}`,
    apiKey: settings.API_KEY ?? '(yours)',
    adminPassword: settings.ADMIN_PASSWORD ?? '(yours)',
    readiness: {
      api: `http://127.0.0.1:${apiPort}/readyz`,
      relay: `http://127.0.0.1:${relayHealthPort}/readyz`,
      worker: `http://127.0.0.1:${workerHealthPort}/readyz`,
    },
    isNoise: (line) =>
      line.includes('"level":"warn"') &&
      Object.keys(provider?.settings ?? {}).some((name) => line.includes(`"variable":"${name}"`)),
    environmentOf: (reader, databaseUrl) => ({
      ...onlyFor(reader, withoutDatabase(settings)),
      DATABASE_URL: roles ? urlAs(databaseUrl, roleOf[reader], roles[reader]) : databaseUrl,
    }),
  };
}

type Secrets = Record<
  'apiKey' | 'adminPassword' | 'relayPassword' | 'databasePassword' | 'providerPassword',
  string
> & { readonly rolePasswords: RolePasswords };

/** A database that was initialised with a password keeps it, and a caller's script keeps its key. */
async function keptSecrets(file: string): Promise<Secrets> {
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const known = kept === undefined ? {} : (JSON.parse(kept) as Partial<Secrets>);
  const invent = () => randomBytes(16).toString('hex');
  const secrets: Secrets = {
    apiKey: `local-${invent()}`,
    adminPassword: invent(),
    relayPassword: invent(),
    databasePassword: invent(),
    providerPassword: invent(),
    rolePasswords: { api: invent(), relay: invent(), worker: invent() },
    ...known,
  };
  // A folder of 0.1.0 has no passwords of roles yet.
  if (known.rolePasswords) return secrets;
  await writeFile(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}

async function planStandIn(folder: string, { providerPassword }: Secrets) {
  const directory = join(folder, 'stand-in');
  const user = 'postern@example.com';
  const tlsPort = await choosePort(4465);
  const startTlsPort = await choosePort(4587);
  const webPort = await choosePort(8025);
  return {
    webUrl: `http://localhost:${webPort}`,
    flags: [
      ...['--directory', directory, '--user', user, '--password', providerPassword],
      ...[
        '--tls-port',
        String(tlsPort),
        '--starttls-port',
        String(startTlsPort),
        '--web-port',
        String(webPort),
      ],
    ],
    settings: {
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: String(tlsPort),
      SMTP_TLS_MODE: 'implicit',
      SMTP_FAILOVER_PORT: String(startTlsPort),
      SMTP_FAILOVER_TLS_MODE: 'starttls',
      SMTP_USER: user,
      SMTP_PASSWORD: providerPassword,
      SMTP_FROM_EMAIL: user,
      SMTP_FROM_NAME: 'Postern',
      SMTP_CA_FILE: join(directory, 'ca.pem'),
    },
  };
}

/** Under any of its names, and also as a file or in base64. */
function isSet(wishes: Source, name: VariableName): boolean {
  const variable = variableTable[name];
  return variable !== undefined && listGiven(wishes, name, variable).length > 0;
}

/** A secret that was given as a file must not meet an invented one. */
function unlessSet(
  wishes: Source,
  inventions: Partial<Record<VariableName, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inventions).filter(([name]) => !isSet(wishes, name as VariableName)),
  );
}

/** As in production, where every process gets its own: what this one does not read is taken out. */
function onlyFor(reader: Reader, settings: Readonly<Record<string, string>>): Record<string, string> {
  const foreign = new Set(
    Object.entries(variableTable)
      .filter(([, { readBy }]) => !readBy.includes(reader))
      .flatMap(([name, variable]) => spellings(name, variable).map(({ setAs }) => setAs)),
  );
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !foreign.has(name)));
}

/** Each process connects as its own role, however the address of the database was given. */
function withoutDatabase(settings: Readonly<Record<string, string>>): Record<string, string> {
  // What they say of TLS is part of the address that the processes get.
  const ofTheAddress = ['DATABASE_URL', 'DATABASE_DIRECT_URL', 'DATABASE_CA_FILE'] as const;
  const names = new Set(
    ofTheAddress.flatMap((name) => spellings(name, variables[name]).map(({ setAs }) => setAs)),
  );
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !names.has(name)));
}

const withoutBlanks = (source: Source): Record<string, string> =>
  Object.fromEntries(
    Object.entries(source).filter((entry): entry is [string, string] => Boolean(entry[1]?.trim())),
  );

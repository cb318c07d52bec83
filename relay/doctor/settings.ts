// The environment as the relay would read it, with everything wrong in it explained for this platform. Unlike the
// relay, the doctor goes on when the process itself could not start: a missing DATABASE_URL says nothing about mail.
import {
  EnvironmentError,
  type Finding,
  listGuessable,
  type RelayEnvironment,
  readRelayEnvironment,
  shapeOf,
} from '../../deploy/environment.ts';
import { listGiven, type Source, spellings } from '../../deploy/reading.ts';
import { variableTable } from '../../deploy/variables.ts';
import { explain } from '../verdict/explain.ts';
import { type PlatformId, whereToType } from '../verdict/where-to-type.ts';
import type { EnvironmentFinding, Examination } from './examination.ts';
import { oauth2Secrets } from './token.ts';

export type SettingsReading = {
  readonly environment: RelayEnvironment;
  /** Problems before warnings, those of the provider first. */
  readonly findings: readonly EnvironmentFinding[];
  readonly settings: Examination['settings'];
  /** The database of the relay, when it is set and well-formed. */
  readonly database: RelayEnvironment['database'] | undefined;
  readonly secrets: readonly string[];
};

// Stands in for what the process needs and mail does not, so that the rest can be read.
const standIns: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://nobody@localhost/nothing',
  RELAY_PASSWORD: 'not set; only there so that the rest is read',
};

/**
 * Reads the relay's environment. Never throws.
 *
 * @param platform decides what to type where; on a plain machine the database and the relay's own password may be
 *   missing, because `npm start` brings them
 */
export function readSettings(source: Source, platform: PlatformId): SettingsReading {
  const { environment, processProblems } = readAnyway(source);
  const own = processProblems.filter(
    ({ variable, cause }) =>
      !(platform === 'plain' && variable in standIns && (cause === 'env-missing' || cause === 'env-blank')),
  );
  const all = [...environment.problems, ...own, ...environment.warnings, ...listGuessable(source)];
  const unique = all.filter(
    (finding, index) =>
      all.findIndex(({ variable, cause }) => variable === finding.variable && cause === finding.cause) ===
      index,
  );
  const ranked = [
    ...unique.filter(({ severity }) => severity === 'problem'),
    ...unique.filter(({ severity }) => severity === 'warning'),
  ];
  const isDatabaseSet = !processProblems.some(({ variable }) =>
    /^DATABASE_(?:DIRECT_)?(?:URL|CA_FILE)/.test(variable),
  );
  return {
    environment,
    findings: ranked.map((finding) => explainFinding(finding, platform)),
    settings: listSettings(source),
    database: isDatabaseSet ? environment.database : undefined,
    secrets: listSecrets(source, environment),
  };
}

/** Adds why it matters and where to type it. */
export function explainFinding(finding: Finding, platform: PlatformId): EnvironmentFinding {
  const { title, meaning } = explain(finding.cause);
  return {
    ...finding,
    title,
    why: meaning,
    where: whereToType(platform, [finding.variable]),
  };
}

function readAnyway(source: Source): { environment: RelayEnvironment; processProblems: readonly Finding[] } {
  let readable = { ...source };
  const processProblems: Finding[] = [];
  for (;;) {
    try {
      return { environment: readRelayEnvironment(readable), processProblems };
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      const faulty = new Set(error.problems.map(({ variable }) => variable));
      const isStuck = error.problems.every(({ variable }) =>
        processProblems.some((known) => known.variable === variable),
      );
      if (isStuck) throw error;
      processProblems.push(...error.problems);
      readable = Object.fromEntries(Object.entries(readable).filter(([name]) => !faulty.has(name)));
      for (const [name, value] of Object.entries(standIns)) {
        const variable = variableTable[name];
        if (variable && listGiven(readable, name, variable).length === 0) readable[name] = value;
      }
    }
  }
}

// What people compare between laptop and production.
const worthShowing = /^SMTP2?_/;

function listSettings(source: Source): Examination['settings'] {
  return Object.entries(variableTable)
    .filter(([name]) => worthShowing.test(name))
    .flatMap(([name, variable]) =>
      spellings(name, variable)
        .filter(({ setAs }) => source[setAs] !== undefined)
        .map(({ setAs, form }) => ({
          variable: setAs,
          shape: shapeOf(source[setAs] ?? '', { secret: variable.secret === true && form !== '_FILE' }),
        })),
    );
}

function listSecrets(source: Source, { providers, relayPassword }: RelayEnvironment): string[] {
  const given = Object.entries(variableTable)
    .filter(([, { secret }]) => secret === true)
    .flatMap(([name, variable]) => listGiven(source, name, variable))
    .filter(({ form }) => form !== '_FILE')
    .map(({ text }) => text);
  const used = providers.flatMap(({ user, password }) =>
    password === undefined ? [] : [password, `\0${user ?? ''}\0${password}`],
  );
  return [...given, ...used, ...providers.flatMap(oauth2Secrets), relayPassword].filter(
    (secret) => secret !== standIns.RELAY_PASSWORD,
  );
}

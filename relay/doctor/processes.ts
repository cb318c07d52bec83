// What the other processes of this installation say they see, from their heartbeats: a variable that reached the api
// but not the relay, and a relay that runs with other values than those in front of us.
import type { Queryable } from '../../deploy/database.ts';
import { fingerprint, type RelayEnvironment } from '../../deploy/environment.ts';
import { credentialSecrets } from '../../deploy/oauth2.ts';
import { type Heartbeat, type RelayReport, readHeartbeats } from '../client/status/heartbeat.ts';
import { describeTrouble, readTroubledWebhooks } from '../client/webhook/trouble.ts';
import { explain } from '../verdict/explain.ts';
import { type PlatformId, whereToType } from '../verdict/where-to-type.ts';
import type { EnvironmentFinding } from './examination.ts';

/** Looks for variables that are missing here and set in another process that lives. */
export async function lookForMisplaced(
  q: Queryable,
  { missing }: Pick<RelayEnvironment, 'missing'>,
  platform: PlatformId,
): Promise<EnvironmentFinding[]> {
  if (missing.length === 0) return [];
  const living = (await readHeartbeats(q)).filter(({ alive, process }) => alive && process !== 'relay');
  return missing.flatMap((variable) => {
    const holder = living.find(({ report }) => providerVariablesOf(report).includes(variable));
    return holder ? [misplaced(variable, holder, platform)] : [];
  });
}

function misplaced(variable: string, { process }: Heartbeat, platform: PlatformId): EnvironmentFinding {
  const { title, meaning, fix } = explain('env-wrong-process');
  return {
    variable,
    severity: 'problem',
    problem: `is set in the ${process} but not in the relay`,
    shape: 'not set here',
    fix,
    cause: 'env-wrong-process',
    title,
    why: meaning,
    where: whereToType(platform, [variable]),
  };
}

function providerVariablesOf(report: Heartbeat['report']): readonly unknown[] {
  const { provider_variables: names } = report;
  return Array.isArray(names) ? names : [];
}

/** Tells how the running relay differs from these settings: whoever changed a variable forgets to restart it. */
export async function compareWithRelay(
  q: Queryable,
  { providers }: Pick<RelayEnvironment, 'providers'>,
): Promise<string[]> {
  const relay = (await readHeartbeats(q, 'relay')).find(({ alive }) => alive);
  if (!relay) return ['No relay is running on this database: mail waits until one is started.'];
  const report = relay.report as RelayReport;
  const notes: string[] = [];
  if (relay.asleepSince) {
    notes.push(
      `The relay is asleep since ${relay.asleepSince.toISOString()} because nothing is to be done (IDLE=sleep). It wakes when mail comes or is due.`,
    );
  }
  if (!report.configured) {
    notes.push(
      `The running relay has no usable provider${report.missing.length > 0 ? ` (missing there: ${report.missing.join(', ')})` : ''}: restart it with these settings.`,
    );
  }
  for (const [variable, secret] of providers.flatMap(credentialSecrets)) {
    const theirs = report.secrets[variable];
    if (!theirs || theirs.fingerprint === fingerprint(secret)) continue;
    notes.push(
      `The running relay has another ${variable} (${theirs.length} characters, fingerprint ${theirs.fingerprint}) than this environment (${secret.length} characters, fingerprint ${fingerprint(secret)}): restart it, or correct one of the two.`,
    );
  }
  const known = new Set(report.routes.map(({ host, port }) => `${host} port ${port}`));
  const unknown = providers
    .flatMap(({ routes }) => routes)
    .map(({ host, port }) => `${host} port ${port}`)
    .filter((way) => !known.has(way));
  if (report.configured && known.size > 0 && unknown.length > 0) {
    notes.push(
      `The running relay does not use ${unknown.join(' and ')}: it was started with other settings.`,
    );
  }
  return notes;
}

/** Endpoints for events that are disabled, or fail. */
export async function lookAtWebhooks(q: Queryable): Promise<string[]> {
  return (await readTroubledWebhooks(q)).map(describeTrouble).map(({ title, fix }) => `${title} ${fix}`);
}

/** Whether this process may do more in the database than a relay needs to. */
export async function lookAtRole(q: Queryable): Promise<string[]> {
  const { rows } = await q.query<{ role: string; isOwner: boolean }>(
    `select current_user::text as role, pg_has_role(relowner, 'usage') as "isOwner"
     from pg_class where oid = to_regclass('message')`,
  );
  return rows.flatMap(({ role, isOwner }) =>
    isOwner
      ? [
          `The relay is ${role} in the database, who may change and read everything there. Set DATABASE_API_PASSWORD, DATABASE_RELAY_PASSWORD and DATABASE_WORKER_PASSWORD for migrate, and give each process the address of its own role.`,
        ]
      : [],
  );
}

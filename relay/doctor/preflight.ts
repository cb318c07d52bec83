// The relay examines its own way out, at its start and every few minutes, so that a wrong password is known before the
// first customer meets it, and whenever somebody asks. What it finds is in the log and, with every heartbeat, in the
// database.
import type { Database } from '../../deploy/database.ts';
import type { ProviderReading, RelayEnvironment } from '../../deploy/environment.ts';
import { type Log, maskAddress } from '../../deploy/log.ts';
import { alwaysAwake, everyWhileAwake, type Sleep } from '../../deploy/sleep.ts';
import type { Alert } from '../alerts/alerts.ts';
import type { PreflightReport } from '../client/status/heartbeat.ts';
import { closeLane, laneKey } from '../lane-state/lanes.ts';
import { usualProbeWaits } from '../lane-state/probe-waits.ts';
import { inWords, type StageFailure } from '../smtp/failure.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { judge } from '../verdict/verdict.ts';
import { answerDoctorRuns, type UnderWay } from './answer.ts';
import type { Controls } from './controls.ts';
import type { Examination } from './examination.ts';
import { type Examining, examine, type Permission } from './examine.ts';
import type { Platform } from './platform.ts';
import { lookForMisplaced } from './processes.ts';
import { explainFinding } from './settings.ts';
import { askPermission, recordTakenSender } from './sign-in-permission.ts';
import { oauth2Secrets } from './token.ts';

export type Preflight = AsyncDisposable & {
  /** Somebody may have asked for an examination. */
  lookForRequests(): void;
  /** The last examination in short; undefined until the first is over. */
  report(): PreflightReport | undefined;
};

type Start = {
  readonly environment: RelayEnvironment;
  readonly database: Database;
  readonly log: Log;
  readonly instance: string;
  readonly platform: Platform;
  /** Shared with delivery, so that both use one access token. */
  readonly tokens?: Tokens;
  /** Told of what somebody must know. */
  readonly alert: (alert: Alert) => void;
  readonly controls?: Controls | false;
  readonly everyMs?: number;
  readonly sleep?: Sleep;
};

const usualPauseMs = 3 * 60_000;

/**
 * Examines now and again until disposed. Mail never waits for it, and nothing it meets ends the relay.
 *
 * Long because its small functions share the last examination and the one under way.
 */
export function startPreflight({
  environment,
  database,
  log,
  instance,
  platform,
  tokens,
  alert,
  controls,
  everyMs = usualPauseMs,
  sleep = alwaysAwake,
}: Start): Preflight {
  const stopping = new AbortController();
  let last: Examination | undefined;
  let examinedAt = Number.NEGATIVE_INFINITY;
  const examining = everyWhileAwake(sleep, everyMs, run);
  const answering = answerDoctorRuns({
    database,
    log,
    instance,
    signal: stopping.signal,
    sleep,
    async examineNow(underWay) {
      const examination = await examineFor('person', underWay);
      return { examination, report: inShort(examination) };
    },
  });

  async function run(): Promise<void> {
    // It has just woken, and what it found before it slept is as new as ever.
    if (performance.now() - examinedAt < everyMs * 0.9) return;
    using _ = sleep.stayAwake();
    try {
      await examineFor('preflight');
      examinedAt = performance.now();
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ err: error, event: 'preflight' }, 'The preflight could not be finished');
    }
  }

  async function examineFor(asks: 'preflight' | 'person', underWay?: UnderWay): Promise<Examination> {
    const examination = await examine({
      reading: readingOf(environment, platform),
      platform,
      ...(controls !== undefined && { controls }),
      findings: await lookForMisplaced(database, environment, platform.id),
      askPermission: (provider) => permissionFor(provider, asks),
      senderTaken: recordTakenSender(database),
      tokens,
      ...(underWay && { underWay }),
      signal: stopping.signal,
    });
    if (!stopping.signal.aborted) {
      tell(examination, last);
      last = examination;
    }
    return examination;
  }

  async function permissionFor(provider: ProviderReading, asks: 'preflight' | 'person'): Promise<Permission> {
    const permission = await askPermission(database, provider, { instance, asks });
    if (!permission.granted) return permission;
    return {
      granted: true,
      async used(worked, failure) {
        if (!worked && failure) await stopLane(provider, failure);
        await permission.used(worked, failure);
      },
    };
  }

  /** What a mail would find out with one AUTH more, and then every mail behind it would have to wait as well. */
  async function stopLane(provider: ProviderReading, failure: StageFailure): Promise<void> {
    const { verdict, cause } = judge({ ...failure, provider: undefined });
    if (verdict !== 'stop') return;
    const detail = inWords(failure);
    const isNews = await closeLane(database, laneKey(provider), {
      state: 'stopped',
      cause,
      detail,
      probeMs: usualProbeWaits.stoppedProbeMs,
      isProbe: false,
    });
    if (isNews) alert({ kind: 'lane-stopped', lane: provider.name, cause, stage: failure.stage, detail });
  }

  function tell({ ok, route, diagnosis, notes }: Examination, before: Examination | undefined): void {
    const isNews =
      before?.ok !== ok || before.diagnosis?.cause !== diagnosis?.cause || before.route !== route;
    if (diagnosis === null) {
      log[isNews ? 'info' : 'debug']({ event: 'preflight', route, notes }, `Mail can leave by ${route}.`);
      return;
    }
    const { stage, cause, variables, title, fix, where, because } = diagnosis;
    const reply = diagnosis.reply && hideAddresses(diagnosis.reply, environment);
    log[isNews ? 'error' : 'debug'](
      {
        event: 'preflight',
        stage,
        cause,
        variables,
        fix,
        where,
        because,
        reply,
        route: diagnosis.route,
        notes,
      },
      `Mail cannot leave: ${title}`,
    );
  }

  return {
    lookForRequests: answering.now,
    report: () => last && inShort(last),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all([examining.stop(), answering.stop()]);
    },
  };
}

/** Providers repeat the addresses they refuse. */
function hideAddresses(text: string, { logAddresses }: RelayEnvironment): string {
  return logAddresses === 'full' ? text : text.replaceAll(/[^\s<>"'(),;:]+@[\w.-]+\w/g, maskAddress);
}

/** What the relay read at its start, as the doctor would have read it. */
function readingOf(environment: RelayEnvironment, { id }: Platform): Examining['reading'] {
  const { problems, providers, relayPassword } = environment;
  return {
    environment,
    findings: [...problems]
      .sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
      .map((finding) => explainFinding(finding, id)),
    settings: [],
    database: undefined,
    secrets: [
      relayPassword,
      ...providers.flatMap(({ user = '', password }) =>
        password === undefined ? [] : [password, `\0${user}\0${password}`],
      ),
      ...providers.flatMap(oauth2Secrets),
    ],
  };
}

function inShort({ ok, at, platform, diagnosis, route, walks, notes }: Examination): PreflightReport {
  return {
    ok,
    at,
    platform: platform.name,
    route,
    diagnosis: diagnosis && {
      stage: diagnosis.stage,
      cause: diagnosis.cause,
      variables: diagnosis.variables,
      title: diagnosis.title,
      meaning: diagnosis.meaning,
      fix: diagnosis.fix,
      where: diagnosis.where,
      because: diagnosis.because,
      route: diagnosis.route,
      reply: diagnosis.reply,
    },
    walks: walks.map((walk) => ({
      route: walk.route,
      host: walk.host,
      port: walk.port,
      family: walk.family,
      certificate_days_left: daysLeft(walk.certificate?.validTo),
      failed_at: walk.steps.find(({ outcome }) => outcome === 'failed')?.stage ?? null,
      cause: walk.cause,
      reply: walk.reply,
    })),
    notes,
    stand_in: walks.some(({ steps }) =>
      steps.some(({ stage, says }) => stage === 'greeting' && says?.includes(standInBanner)),
    ),
  };
}

/** In the greeting of relay/stand-in. */
const standInBanner = 'Postern stand-in provider';

/** Whole days; null without a certificate. */
function daysLeft(validTo: string | undefined): number | null {
  const end = Date.parse(validTo ?? '');
  return Number.isNaN(end) ? null : Math.floor((end - Date.now()) / 86_400_000);
}

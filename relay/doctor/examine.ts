// The examination: reads nothing, changes nothing, and spends at most one AUTH for each credential. `npm run doctor`,
// the relay's preflight and the test email are all answered by it.
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import type { ProviderReading } from '../../deploy/environment.ts';
import { inWords } from '../smtp/failure.ts';
import { symptomOf } from '../smtp/symptom.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { UnderWay } from './answer.ts';
import {
  alternatePorts,
  diagnose,
  diagnoseFinding,
  diagnoseSetting,
  judgeWalk,
  mostTelling,
} from './conclude.ts';
import { type Controls, compare, compareNames, usualControls } from './controls.ts';
import type {
  ControlReport,
  Diagnosis,
  EnvironmentFinding,
  Examination,
  SignIn,
  Step,
  WalkReport,
} from './examination.ts';
import { setOwnMailboxAside } from './own-mailbox.ts';
import type { Platform } from './platform.ts';
import { isPrivate, resolve } from './reach.ts';
import { redact } from './redact.ts';
import type { SettingsReading } from './settings.ts';
import { obstacleToSignIn, sendCanary, signIn, tryEnvelope, tryTaggedSender } from './sign-in.ts';
import { notesOnCertificate } from './submitters.ts';
import type { Talk } from './talk.ts';
import { type TimeLimits, usualTimeLimits, within } from './time-limits.ts';
import { lookForToken, type TokenLook } from './token.ts';
import { completeSteps, planWalks, type Walk, walkRoute } from './walk.ts';

/** Permission to send one AUTH for a credential, or why not; then what is known without one. */
export type Permission =
  | { readonly granted: true; used(worked: boolean, failure: Walk['failure']): Promise<void> }
  /** It worked a moment ago: nothing to find out. */
  | { readonly granted: false; readonly known: 'works'; readonly says: string }
  /** It was refused a moment ago, with these words. */
  | {
      readonly granted: false;
      readonly known: 'refused';
      readonly says: string;
      readonly failure: NonNullable<Walk['failure']>;
    }
  | { readonly granted: false; readonly known: 'nothing'; readonly says: string };

/** Told when the provider took the From address at these stages. Must not reject. */
export type SenderTaken = (
  provider: ProviderReading,
  sender: string,
  taken: readonly ('mail' | 'rcpt')[],
) => Promise<void>;

export type Examining = {
  readonly reading: SettingsReading;
  readonly platform: Platform;
  /**
   * Undefined: the usual ones, unless the provider is on a network of one's own, which no stranger tells anything
   * about; false: none, where no stranger may be contacted.
   */
  readonly controls?: Controls | false;
  readonly limits?: TimeLimits;
  /** Asks for permission to sign in; without it every credential gets its one AUTH. */
  readonly askPermission?: (provider: ProviderReading) => Promise<Permission>;
  readonly senderTaken?: SenderTaken;
  /** Where access tokens come from; without it none is asked for. */
  readonly tokens?: Tokens | undefined;
  /** A message to send to oneself in the end; composed by the caller. */
  readonly canary?: (provider: ProviderReading) => string;
  /** What only the caller knows, such as that the running relay has other settings. */
  readonly findings?: readonly EnvironmentFinding[];
  readonly notes?: readonly string[];
  /** Under way already; it never rejects. */
  readonly mailbox?: Promise<Examination['mailbox']>;
  /** For whoever watches the walks while they go on. */
  readonly underWay?: UnderWay;
  /** Ends it early; what was not come to counts as silence. */
  readonly signal?: AbortSignal;
  readonly now?: () => Date;
};

/** Examines all that is set. Takes at most 15 seconds, and never rejects for what the network does. */
export async function examine({
  reading,
  platform,
  controls,
  limits = usualTimeLimits,
  askPermission = async () => ({ granted: true, used: async () => {} }),
  canary,
  senderTaken,
  tokens,
  findings: more = [],
  notes: given = [],
  mailbox,
  underWay,
  signal,
  now = () => new Date(),
}: Examining): Promise<Examination> {
  const since = performance.now();
  const at = now().toISOString();
  const { environment } = reading;
  const findings = [...more, ...reading.findings];
  const end = new AbortController();
  const ending = setTimeout(() => end.abort(), limits.all);
  const secrets = [...reading.secrets];

  const visits = await Promise.all(
    environment.providers.map((provider) =>
      visit(provider, {
        from: environment.from?.email,
        controls,
        limits,
        askPermission,
        canary,
        senderTaken,
        tokens,
        secret: (words) => secrets.push(words),
        findings,
        tagsSenders: environment.bounceVerp,
        platform,
        underWay: underWay && ((look) => underWay(() => redact(look(), secrets))),
        end: signal ? AbortSignal.any([end.signal, signal]) : end.signal,
      }),
    ),
  );
  clearTimeout(ending);
  end.abort();

  return redact<Examination>(
    {
      at,
      ms: Math.round(performance.now() - since),
      platform,
      findings,
      settings: reading.settings,
      walks: visits.flatMap(({ walks }) => walks),
      controls: visits.flatMap((each) => each.controls),
      signIns: visits.flatMap((each) => each.signIns),
      mailbox: (await mailbox) ?? null,
      ...outcomeOf(visits, { findings, platform, notes: given, environment }),
    },
    secrets,
  );
}

type Outcome = Pick<Examination, 'ok' | 'diagnosis' | 'route' | 'notes'>;

/** Whether mail can leave, by which route, and what keeps it from leaving. */
function outcomeOf(
  visits: readonly Visit[],
  {
    findings,
    platform,
    notes,
    environment,
  }: {
    findings: readonly EnvironmentFinding[];
    platform: Platform;
    notes: readonly string[];
    environment: Examining['reading']['environment'];
  },
): Outcome {
  const problem = findings.find(({ severity }) => severity === 'problem');
  const working = visits.find(({ route }) => route !== null);
  const isProcessStopped = problem !== undefined && (visits.length === 0 || !isAboutSecondProvider(problem));
  const diagnosis =
    (isProcessStopped ? diagnoseFinding(problem, findings) : undefined) ??
    (working ? undefined : visits.find((each) => each.diagnosis !== undefined)?.diagnosis) ??
    (environment.deliveryMode === 'capture'
      ? diagnoseSetting('capture-mode', ['DELIVERY_MODE'], platform.id)
      : null);
  const ok = diagnosis === null && working !== undefined;
  const failing = ok ? visits.filter((each) => each.diagnosis && each !== working) : [];
  return {
    ok,
    diagnosis,
    route: ok ? working.route : null,
    notes: [
      ...notesOnCertificate(environment.relayTls, new Date()),
      ...notes,
      ...visits.flatMap((each) => each.notes),
      ...failing.map(
        ({ diagnosis: other }) =>
          `The other provider does not work (${other?.cause}: ${other?.title}); look at ${other?.variables.join(', ')}.`,
      ),
    ],
  };
}

/** A second provider that is set up wrong does not keep the first from sending. */
function isAboutSecondProvider({ variable }: EnvironmentFinding): boolean {
  return variable.startsWith('SMTP2_');
}

type Visit = {
  readonly walks: readonly WalkReport[];
  readonly controls: readonly ControlReport[];
  readonly signIns: readonly SignIn[];
  readonly notes: readonly string[];
  /** The route by which mail can leave. */
  readonly route: string | null;
  readonly diagnosis?: Diagnosis;
};

type Tools = {
  readonly from: string | undefined;
  readonly controls: Controls | false | undefined;
  readonly limits: TimeLimits;
  readonly askPermission: (provider: ProviderReading) => Promise<Permission>;
  readonly canary: ((provider: ProviderReading) => string) | undefined;
  readonly senderTaken: SenderTaken | undefined;
  readonly tokens: Tokens | undefined;
  /** Told of what must not be repeated. */
  readonly secret: (words: string) => void;
  readonly findings: readonly EnvironmentFinding[];
  /** BOUNCE_VERP */
  readonly tagsSenders: boolean;
  readonly platform: Platform;
  readonly underWay: UnderWay | undefined;
  readonly end: AbortSignal;
};

async function visit(provider: ProviderReading, tools: Tools): Promise<Visit> {
  const { limits, platform, findings, end } = tools;
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(), limits.opening);
  const signal = AbortSignal.any([end, opening.signal]);
  const lookingForToken = lookForToken(provider, tools.tokens, { limits, signal: end });
  const walks = await plan(provider, limits, signal);
  tools.underWay?.(() => walks.map(reportOf));
  const comparing = openComparison(provider, controlsFor(tools, provider, walks), signal);
  const walking = walks.map(async (walk) => {
    if (walk.failure) comparing.start(walk.failure.stage);
    else await walkRoute(walk, { authorities: authoritiesFor(provider), limits, signal });
    if (walk.failure) comparing.start(walk.failure.stage);
    return walk;
  });
  // Whoever will not answer should not make the comparison late as well.
  const impatient = setTimeout(() => comparing.start('tcp', walks), limits.suspicion);

  const chosen = await choose(walks, walking, limits.preference);
  const look = await lookingForToken;
  for (const walk of walks) if (look) walk.steps.unshift(look.step);
  if (chosen && look?.failure) chosen.failure = look.failure;
  const { signedIn, notes }: Finished =
    chosen && !chosen.failure ? await finish(chosen, provider, tools, look) : { notes: [] };
  await Promise.all(walking);
  clearTimeout(timer);
  clearTimeout(impatient);
  const controls = await comparing.results();
  for (const walk of walks) if (walk !== chosen && chosen && !walk.failure) skipLogin(walk, chosen);
  for (const { talk } of walks) talk?.close();

  const works = chosen !== undefined && chosen.failure === undefined;
  const telling = works ? undefined : chosen?.failure ? chosen : mostTelling(walks);
  // Without a token nothing could be sent on the best of ways.
  const failed = telling && look?.failure ? { ...telling, failure: look.failure } : telling;
  return {
    walks: walks.map(reportOf),
    controls,
    signIns: signedIn
      ? [{ provider: signedIn.provider, attempts: signedIn.attempts, says: signedIn.says }]
      : [],
    notes: works ? [...notesAbout(chosen, walks), ...notes] : [],
    route: works ? chosen.route.name : null,
    ...(failed?.failure && {
      diagnosis: diagnose(failed, failed.failure, {
        siblings: walks,
        controls,
        findings,
        platform: platform.id,
      }),
    }),
  };
}

const notesOnTags = ({ host }: ProviderReading, refusal: string | undefined): string[] =>
  refusal === undefined
    ? []
    : [
        `BOUNCE_VERP is on, and ${host} takes no sender with the id of the mail in it ("${refusal}"): mail leaves with its own sender. Switch BOUNCE_VERP off.`,
      ];

/** One walk for each route and address family; a name that is not found is a walk that ended there. */
async function plan(provider: ProviderReading, limits: TimeLimits, signal: AbortSignal): Promise<Walk[]> {
  const since = performance.now();
  const spent = () => Math.round(performance.now() - since);
  const needsToken = provider.oauth2 !== undefined;
  try {
    const addresses = await within('dns', limits.dns, signal, () => resolve(provider.host));
    const says = [...addresses.ipv4, ...addresses.ipv6].join(', ');
    const dns: Step = { stage: 'dns', outcome: 'passed', ms: spent(), says };
    return provider.routes.flatMap((route) =>
      planWalks(provider.name, route, addresses, { dns, needsToken }),
    );
  } catch (error) {
    const failure = { stage: 'dns', symptom: symptomOf(error) } as const;
    return provider.routes.map((route) => ({
      provider: provider.name,
      route,
      family: null,
      address: null,
      needsToken,
      steps: [{ stage: 'dns', outcome: 'failed', ms: spent(), says: inWords(failure) }],
      failure,
    }));
  }
}

/** The preferred way that works, or the next one once those before it have failed or kept silent for too long. */
function choose(
  walks: readonly Walk[],
  walking: readonly Promise<Walk>[],
  patienceMs: number,
): Promise<Walk | undefined> {
  return new Promise((resolve, reject) => {
    const ended = new Set<Walk>();
    let isPatient = true;
    const look = () => {
      const best = walks.find((walk) => ended.has(walk) && walk.failure === undefined);
      const isPreferred =
        best !== undefined && walks.slice(0, walks.indexOf(best)).every((walk) => ended.has(walk));
      if (isPreferred || (best && !isPatient) || ended.size === walks.length) {
        clearTimeout(timer);
        resolve(best);
      }
    };
    const timer = setTimeout(() => {
      isPatient = false;
      look();
    }, patienceMs);
    for (const each of walking) {
      each.then((walk) => {
        ended.add(walk);
        look();
      }, reject);
    }
    look();
  });
}

/** AUTH, MAIL, RCPT and RSET on the chosen way. */
async function finish(
  walk: Walk,
  provider: ProviderReading,
  tools: Tools,
  look: TokenLook | undefined,
): Promise<Finished> {
  const { limits, end: signal, from, canary } = tools;
  const { talk } = walk;
  if (!talk) return { notes: [] };
  const credential = credentialOf(provider, look);
  let signedIn: Login | undefined;
  if (credential) {
    signedIn = await authenticate(walk, talk, provider, tools, { credential, look });
    if (walk.failure || !signedIn.isSignedIn) return { signedIn, notes: [] };
  } else {
    const says = look ? 'without an access token' : 'no login is set';
    walk.steps.push({ stage: 'auth', outcome: 'skipped', ms: null, says });
    if (look) return { notes: [] };
  }

  if (from === undefined) return { signedIn, notes: [] };
  const accepted = await tryEnvelope(walk, talk, { from, to: from, limits, signal });
  const ownMailbox = canary ? undefined : setOwnMailboxAside(walk, from);
  const isSenderTaken = walk.steps.some(({ stage, outcome }) => stage === 'mail' && outcome === 'passed');
  if (isSenderTaken) await tools.senderTaken?.(provider, from, accepted ? ['mail', 'rcpt'] : ['mail']);
  const tagRefusal =
    accepted && tools.tagsSenders && !canary
      ? await tryTaggedSender(talk, { from, limits, signal })
      : undefined;
  if (accepted && canary) await sendCanary(walk, talk, { message: canary(provider), limits, signal });
  else talk.say('RSET\r\n');
  return {
    signedIn,
    notes: [...notesOnTags(provider, tagRefusal), ...(ownMailbox === undefined ? [] : [ownMailbox])],
  };
}

type Credential = Parameters<typeof signIn>[2];
type Login = SignIn & { readonly isSignedIn: boolean };
type Finished = { readonly signedIn?: Login | undefined; readonly notes: readonly string[] };

function credentialOf(
  { user, password }: ProviderReading,
  look: TokenLook | undefined,
): Credential | undefined {
  if (user === undefined) return undefined;
  if (look) return look.token === undefined ? undefined : { user, token: look.token };
  return password === undefined ? undefined : { user, password };
}

/** One AUTH, when it is permitted; a second one where the first showed that a kept access token had ended. */
async function authenticate(
  walk: Walk,
  talk: Talk,
  provider: ProviderReading,
  tools: Tools,
  { credential, look }: { credential: Credential; look: TokenLook | undefined },
): Promise<Login> {
  const { limits, end: signal } = tools;
  const told = (attempts: 0 | 1 | 2, says: string, isSignedIn = false) => ({
    provider: provider.name,
    attempts,
    says,
    isSignedIn,
  });
  const obstacle = obstacleToSignIn(walk.offered ?? [], { withToken: look !== undefined });
  if (obstacle) {
    walk.failure = { stage: 'auth', symptom: symptomOf(obstacle) };
    walk.steps.push({ stage: 'auth', outcome: 'failed', ms: 0, says: obstacle.message });
    return told(0, 'No AUTH was sent: none is offered.');
  }
  const permission = await tools.askPermission(provider);
  if (!permission.granted) {
    const outcome = permission.known === 'refused' ? 'failed' : 'skipped';
    walk.steps.push({ stage: 'auth', outcome, ms: null, says: permission.says });
    if (permission.known === 'refused') walk.failure = permission.failure;
    return told(0, permission.says);
  }
  if ('token' in credential) tools.secret(credential.token);
  let worked = await signIn(walk, talk, credential, { limits, signal });
  const another = worked || look?.isNew !== false ? undefined : await look.renew();
  if (another !== undefined) {
    tools.secret(another);
    walk.steps.pop();
    delete walk.failure;
    worked = await signIn(walk, talk, { user: credential.user, token: another }, { limits, signal });
  }
  await permission.used(worked, walk.failure);
  return another === undefined
    ? told(1, 'One AUTH was sent.', worked)
    : told(2, 'Two AUTH were sent: the kept access token had ended.', worked);
}

/** One login is enough, and more would be counted by the provider. */
function skipLogin(walk: Walk, { route, family }: Walk): void {
  for (const stage of ['auth', 'mail', 'rcpt'] as const) {
    walk.steps.push({ stage, outcome: 'skipped', ms: null, says: `tried by ${route.name} over ${family}` });
  }
}

function controlsFor(
  { controls }: Tools,
  { host }: ProviderReading,
  walks: readonly Walk[],
): Controls | false {
  if (controls !== undefined) return controls;
  const isOwnNetwork = walks.every(({ address }) => address !== null && isPrivate(address));
  return isOwnNetwork ? false : usualControls([host]);
}

function openComparison(provider: ProviderReading, controls: Controls | false, signal: AbortSignal) {
  let started: Promise<ControlReport[]> | undefined;
  return {
    /** Compares once; with `walks`, only when one of them is still waiting to be connected. */
    start(stage: string, walks?: readonly Walk[]): void {
      if (started || controls === false) return;
      if (walks?.every(({ steps, failure }) => failure || steps.length > 1)) return;
      if (stage === 'dns') started = compareNames(controls, signal);
      else if (stage === 'tcp') {
        const alternates = alternatePorts(
          provider.host,
          provider.routes.map(({ port }) => port),
        );
        started = compare(controls, { host: provider.host, alternates, signal });
      }
    },
    results: async (): Promise<ControlReport[]> => (await started) ?? [],
  };
}

function notesAbout(chosen: Walk, walks: readonly Walk[]): string[] {
  const failed = walks.filter(({ failure, route }) => failure && route.name !== chosen.route.name);
  const sameRoute = walks.filter(({ failure, route }) => failure && route.name === chosen.route.name);
  return [
    ...failed
      .filter((walk, index) => failed.findIndex(({ route }) => route.name === walk.route.name) === index)
      .map(
        (walk) =>
          `${walk.route.name} does not work (${judgeWalk(walk)?.cause} at ${walk.failure?.stage}: ${walk.failure && inWords(walk.failure)}); mail leaves by ${chosen.route.name}.`,
      ),
    ...sameRoute.map(
      (walk) =>
        `${walk.route.name} cannot be reached over ${walk.family} (${walk.failure && inWords(walk.failure)}).`,
    ),
  ];
}

function reportOf(walk: Walk): WalkReport {
  const { provider, route, family, address, certificate, speaker, failure } = walk;
  return {
    provider,
    route: route.name,
    host: route.host,
    port: route.port,
    tlsMode: route.tlsMode,
    family,
    address,
    steps: completeSteps(walk),
    cause: judgeWalk(walk)?.cause ?? null,
    certificate: certificate ?? null,
    capabilities: { beforeTls: walk.beforeTls ?? null, offered: walk.offered ?? null },
    speaker: speaker ?? null,
    reply: failure ? inWords(failure) : null,
  };
}

function authoritiesFor({ caFile }: ProviderReading): string[] {
  return caFile === undefined ? [...rootCertificates] : [...rootCertificates, readFileSync(caFile, 'utf8')];
}

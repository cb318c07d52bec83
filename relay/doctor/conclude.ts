// From what was seen to the one cause. Pure.
import { type Stage, stages } from '../client/vocabulary.ts';
import { inWords, type StageFailure } from '../smtp/failure.ts';
import { type Cause, catalogue } from '../verdict/catalogue.ts';
import { explain } from '../verdict/explain.ts';
import type { Judgement } from '../verdict/failure.ts';
import { providerOf } from '../verdict/providers.ts';
import { judge } from '../verdict/verdict.ts';
import { type PlatformId, whereToType } from '../verdict/where-to-type.ts';
import type { ControlReport, Diagnosis, EnvironmentFinding } from './examination.ts';
import type { Walk } from './walk.ts';

/** Judges a walk that failed. The doctor knows the host that was set, which the words alone do not tell. */
export function judgeWalk({ route, address, failure }: Walk): Judgement | undefined {
  if (!failure) return undefined;
  const { stage, symptom } = failure;
  return judge({
    stage,
    symptom: { hostname: route.host, port: route.port, ...(address !== null && { address }), ...symptom },
    config: { host: route.host },
  });
}

/** The walk that tells most: the one that came furthest; of equals one that another route cannot heal. */
export function mostTelling(walks: readonly Walk[]): Walk | undefined {
  const rank = (walk: Walk) => {
    const judgement = judgeWalk(walk);
    const distance = stages.indexOf(walk.failure?.stage ?? 'config');
    // A machine without IPv6 always fails there; that explains nothing while IPv4 failed otherwise.
    const isOnlyIpv6 = judgement?.cause === 'ipv6';
    return distance * 4 + (judgement?.verdict === 'failover' ? 0 : 2) - (isOnlyIpv6 ? 1 : 0);
  };
  return walks
    .filter(({ failure }) => failure !== undefined)
    .reduce<Walk | undefined>((best, walk) => (best && rank(best) >= rank(walk) ? best : walk), undefined);
}

/** The cause of a failed walk in the light of what was compared, and of what is set. */
export function diagnose(
  walk: Walk,
  failure: StageFailure,
  {
    siblings,
    controls,
    findings,
    platform,
  }: {
    siblings: readonly Walk[];
    controls: readonly ControlReport[];
    findings: readonly EnvironmentFinding[];
    platform: PlatformId;
  },
): Diagnosis {
  const judgement = judgeWalk(walk) as Judgement;
  const compared = compareReach(judgement.cause, walk, siblings, controls);
  const cause = compared?.cause ?? judgement.cause;
  const variables = variablesFor(cause, failure.stage, walk.provider);
  const { title, meaning, fix, facts } = explain(cause, { host: walk.route.host, platform });
  const suspicion = findings.find(
    ({ variable, severity }) => severity === 'warning' && variables.includes(variable),
  );
  return {
    stage: failure.stage,
    cause,
    verdict: judgement.verdict,
    variables: suspicion ? [...new Set([suspicion.variable, ...variables])] : variables,
    title,
    meaning,
    fix: [suspicion && `${suspicion.variable} ${suspicion.problem}: ${suspicion.fix}`, compared?.fix, fix]
      .filter((part) => part !== undefined)
      .join(' '),
    where: whereToType(platform, variables),
    because: compared?.because ?? heardThere(walk),
    route: walk.route.name,
    reply: inWords(failure),
    facts: facts.map(
      ({ about, says, unverified }) => `${about}: ${says}${unverified ? ' (not verified)' : ''}`,
    ),
  };
}

/** The first problem of the environment, as the cause. */
export function diagnoseFinding(
  finding: EnvironmentFinding,
  findings: readonly EnvironmentFinding[],
): Diagnosis {
  const same = findings.filter(({ cause, severity }) => cause === finding.cause && severity === 'problem');
  return {
    stage: 'config',
    cause: finding.cause,
    verdict: 'stop',
    variables: same.map(({ variable }) => variable),
    title: finding.title,
    meaning: finding.why,
    fix: same.map(({ variable, problem, fix }) => `${variable} ${problem}: ${fix}`).join(' '),
    where: finding.where,
    because: null,
    route: null,
    reply: null,
    facts: [],
  };
}

/** Everything that is known beforehand and has no route: such as DELIVERY_MODE=capture. */
export function diagnoseSetting(cause: Cause, variables: readonly string[], platform: PlatformId): Diagnosis {
  const { title, meaning, fix } = catalogue[cause];
  return {
    stage: 'config',
    cause,
    verdict: 'stop',
    variables,
    title,
    meaning,
    fix,
    where: whereToType(platform, variables),
    because: null,
    route: null,
    reply: null,
    facts: [],
  };
}

type Comparison = { readonly cause: Cause; readonly because: string; readonly fix?: string };

function compareReach(
  cause: Cause,
  walk: Walk,
  siblings: readonly Walk[],
  controls: readonly ControlReport[],
): Comparison | undefined {
  const stage = walk.failure?.stage;
  const smtp = controls.filter(({ what }) => what === 'SMTP elsewhere');
  const web = controls.find(({ what }) => what === 'the web');
  const name = controls.find(({ what }) => what === 'a known name');
  if (stage === 'dns') {
    if (!name || (cause !== 'dns-not-found' && cause !== 'dns-temporary')) return undefined;
    if (name.outcome !== 'answers') {
      return {
        cause: 'dns-temporary',
        because: `${name.host} is not found either: the name server of this machine does not work.`,
      };
    }
    const because =
      cause === 'dns-not-found'
        ? `${name.host} is found from here, ${walk.route.host} is not: the name is wrong.`
        : `${name.host} is found from here: only the name servers of ${walk.route.host} do not answer.`;
    return { cause, because };
  }
  if (stage !== 'tcp' || smtp.length === 0 || siblings.some(({ failure }) => failure?.stage !== 'tcp'))
    return undefined;
  if (cause !== 'cloud-port-block' && cause !== 'tcp-refused' && cause !== 'network') return undefined;

  const elsewhere = `${smtp[0]?.host} on ${smtp.map(({ port }) => port).join(' and ')}`;
  const smtpAnswers = smtp.filter(({ outcome }) => outcome === 'answers');
  const alternates = controls.filter(
    ({ what, outcome }) => what === "the provider's other port" && outcome === 'answers',
  );
  if (smtpAnswers.length > 0) {
    if (cause !== 'cloud-port-block') return undefined;
    return {
      cause: 'provider-unreachable',
      because: `${smtpAnswers[0]?.host} answers from here on ${smtpAnswers.map(({ port }) => port).join(' and ')}, so this platform allows outgoing SMTP.`,
    };
  }
  if (web?.outcome !== 'answers') {
    return {
      cause: 'network',
      because: `Neither ${elsewhere} nor ${web?.host ?? 'the web'} on 443 can be reached.`,
    };
  }
  const open = alternates.map(({ port }) => port);
  return {
    cause: 'cloud-port-block',
    because: `${elsewhere} cannot be reached either, while ${web.host} on ${web.port} answers: this platform blocks outgoing SMTP.`,
    ...(open.length > 0 && {
      fix: `Set ${walk.provider}_PORT=${open[0]}: ${walk.route.host} answers there from here.`,
    }),
  };
}

function heardThere({ speaker, route, certificate }: Walk): string | null {
  if (certificate?.problem) {
    return `The certificate is for ${certificate.names.join(', ') || certificate.subject}, by ${certificate.issuer}, valid ${certificate.validFrom} to ${certificate.validTo}.`;
  }
  if (!speaker) return null;
  const where = `${route.host} port ${route.port}`;
  switch (speaker.kind) {
    case 'smtp':
      return route.tlsMode === 'implicit'
        ? `${where} speaks unencrypted SMTP first: it needs STARTTLS, not implicit TLS.`
        : null;
    case 'tls':
      return `${where} speaks implicit TLS: it does not use STARTTLS.`;
    case 'imap':
    case 'pop3':
      return `${where} speaks ${speaker.kind.toUpperCase()}, which is for reading mail.`;
    case 'ssh':
    case 'http':
      return `${where} speaks ${speaker.kind.toUpperCase()}.`;
    case 'hangs up':
      return `${where} closes the connection without an answer, with TLS and without.`;
    default:
      return null;
  }
}

const tokenVariables: Readonly<Partial<Record<Cause, readonly string[]>>> = {
  'oauth2-token-unreachable': ['OAUTH2_TOKEN_URL', 'CA_FILE'],
  'oauth2-secret-wrong': ['OAUTH2_CLIENT_SECRET'],
  'oauth2-secret-expired': ['OAUTH2_CLIENT_SECRET'],
  'oauth2-certificate': ['OAUTH2_CLIENT_CERT_FILE', 'OAUTH2_CLIENT_KEY_FILE', 'OAUTH2_SERVICE_ACCOUNT'],
  'oauth2-application': ['OAUTH2_CLIENT_ID', 'OAUTH2_TENANT'],
  'oauth2-tenant': ['OAUTH2_TENANT'],
  'oauth2-revoked': ['OAUTH2_REFRESH_TOKEN'],
  'oauth2-scope': ['OAUTH2_SCOPE'],
  'oauth2-account': ['USER', 'OAUTH2_TENANT'],
  'oauth2-delegation': ['OAUTH2_SERVICE_ACCOUNT', 'USER'],
  'oauth2-public-client': ['OAUTH2_CLIENT_SECRET'],
  'oauth2-token-refused': ['USER', 'OAUTH2_CLIENT_ID'],
  'oauth2-mailbox-permission': ['USER', 'OAUTH2_CLIENT_ID'],
};

/** Which variables a cause is about; of the second provider under its names. */
function variablesFor(cause: Cause, stage: Stage, provider: string): string[] {
  const own = (...keys: string[]) => keys.map((key) => `${provider}_${key}`);
  if (cause === 'tls-untrusted' || cause === 'tls-intercepted' || cause === 'tls-missing-intermediate') {
    return own('HOST', 'CA_FILE');
  }
  if (stage === 'token' || cause.startsWith('oauth2-'))
    return own(...(tokenVariables[cause] ?? ['OAUTH2_PROVIDER', 'OAUTH2_CLIENT_ID']));
  if (cause === 'tls-hostname-mismatch' || cause === 'tls-expired' || stage === 'dns') return own('HOST');
  if (cause === 'wrong-host' || cause === 'http-on-smtp' || cause === 'wrong-service')
    return own('HOST', 'PORT');
  if (cause === 'port-tls-mismatch') return own('PORT', 'TLS_MODE');
  if (cause.startsWith('starttls')) return own('PORT', 'TLS_MODE');
  if (cause === 'sender-domain-unknown' || cause.startsWith('sender-') || cause === 'dmarc-spf-dkim') {
    return ['SMTP_FROM_EMAIL'];
  }
  if (/limit|^rate/.test(cause)) return own('MAX_PER_HOUR', 'MAX_PER_DAY');
  if (stage === 'tcp' || stage === 'tls' || stage === 'greeting' || stage === 'ehlo')
    return own('HOST', 'PORT');
  if (stage === 'auth') return own('USER', 'PASSWORD');
  if (stage === 'mail') return ['SMTP_FROM_EMAIL'];
  return own('USER');
}

/** Ports at which the provider is known to listen besides those that are walked. */
export function alternatePorts(host: string, walked: readonly number[]): number[] {
  const known = providerOf(undefined, host, '')?.ports ?? [];
  return [...new Set(known.map(({ port }) => port))].filter((port) => !walked.includes(port) && port !== 25);
}

// From the name to the encrypted greeting: nothing was signed in and nothing was sent, so another route is safe.
import { type Facts, portsIn, setting } from '../facts.ts';
import { noReply, type Rule, reported } from './rule.ts';

const localAddress = /^(127\.|::1|0\.0\.0\.0|localhost)/;
const privateAddress = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|f[cd][0-9a-f]{2}:)/i;

const dnsFailure = (facts: Facts): boolean =>
  noReply(facts) &&
  (facts.stage === undefined || facts.stage === 'dns' || facts.stage === 'config' || facts.stage === 'tcp');
const tcpFailure = (facts: Facts): boolean =>
  noReply(facts) && (facts.stage === undefined || facts.stage === 'tcp' || facts.stage === 'config');
const tlsFailure = (facts: Facts): boolean =>
  noReply(facts) &&
  (facts.stage === undefined ||
    ['config', 'tcp', 'tls', 'greeting', 'ehlo', 'starttls', 'auth'].includes(facts.stage));
const greeted: readonly ('greeting' | 'ehlo' | 'starttls' | 'tcp' | 'tls' | 'config')[] = [
  'greeting',
  'ehlo',
  'starttls',
  'tcp',
  'tls',
  'config',
];

const namesLocalhost = ({ host }: Facts): boolean => host !== undefined && localAddress.test(host);

/** No host to fail over from: neither the settings nor the words name one. */
const namesNoRoute = (facts: Facts): boolean =>
  reported(facts) &&
  facts.host === undefined &&
  facts.address === undefined &&
  facts.symptom.hostname === undefined &&
  !/\bhost\b.{0,20}(port|\d{2,5}|$)|\bipnumber\b/.test(facts.words);

const gaveNoAnswer = (facts: Facts): boolean =>
  tcpFailure(facts) &&
  (facts.systemError === 'ETIMEDOUT' || facts.symptom.code === 'ETIMEDOUT') &&
  !/greeting|banner|idle|handshake|response|reading|reply|^timeout$/.test(facts.words) &&
  (facts.stage !== undefined ||
    facts.symptom.syscall === 'connect' ||
    facts.symptom.command === 'CONN' ||
    /connect|dial|port|socket client|opentimeout|send|never (sent|leaves?|goes out)|(email|message|it|they) (is|are|was|were|has been|have been) not sent|(nothing|no email) (is sent|leaves|goes out)\b(?! back)/.test(
      facts.words,
    ));

/** No port the provider listens on gets through here, so going round is useless. */
function everyPortIsBlocked(facts: Facts): boolean {
  const { platform, provider } = facts;
  const ports = portsIn(setting(facts.config, 'port') ?? facts.symptom.port);
  const port = ports?.numbers.length === 1 ? ports.numbers[0] : undefined;
  if (platform !== undefined && platform.blockedPorts.length > 0) {
    // Without a catalogue entry only the two submission ports are worth trying (RFC 8314 §3.3), never 25.
    const worthTrying = provider?.ports.map((known) => known.port) ?? (port === 25 ? [25] : [465, 587]);
    return worthTrying
      .filter((known) => known !== 25 || port === 25)
      .every((known) => platform.blockedPorts.includes(known));
  }
  if (!namesNoRoute(facts)) return false;
  // A program's bare error says nothing about other ports; a person who reports settings or a story does.
  if (facts.symptom.code !== undefined && Object.keys(facts.config ?? {}).length === 0) return false;
  // A report without a host. 465 alone is closed on some platforms, 587 only together with everything else; and who
  // moved to another port has somewhere to go.
  return (
    provider === undefined &&
    port !== 465 &&
    ports?.areMoved !== true &&
    !Number.isInteger(facts.symptom.port)
  );
}

export const connectionRules: readonly Rule[] = [
  // names
  {
    cause: 'ipv6-literal',
    verdict: 'stop',
    scope: 'credential',
    stage: 'dns',
    when: (facts) =>
      dnsFailure(facts) &&
      (facts.systemError === 'ENOTFOUND' || facts.stage === 'dns') &&
      /\[[0-9a-f]{1,4}:[0-9a-f:.]*\]?/.test(`${facts.raw} ${facts.host ?? ''}`),
  },
  {
    cause: 'dns-no-usable-address',
    verdict: 'stop',
    scope: 'platform',
    stage: 'dns',
    says: /cannot use ipv[46] address/,
    when: noReply,
  },
  {
    cause: 'dns-temporary',
    verdict: 'retry',
    scope: 'route',
    stage: 'dns',
    when: (facts) => dnsFailure(facts) && facts.systemError === 'EAI_AGAIN',
  },
  {
    cause: 'dns-not-found',
    verdict: 'stop',
    scope: 'credential',
    stage: 'dns',
    when: (facts) => dnsFailure(facts) && facts.systemError === 'ENOTFOUND',
  },
  {
    cause: 'dns-temporary',
    verdict: 'retry',
    scope: 'route',
    stage: 'dns',
    when: (facts) => noReply(facts) && facts.stage === 'dns',
  },
  // reaching the port
  {
    // Who decides about ports refuses them; "cannot open" and "closed by" are what programs say of a connection.
    cause: 'cloud-port-block',
    verdict: 'stop',
    scope: 'platform',
    stage: 'tcp',
    says: /(cannot|(will|would|does|do|did) not|(refuse|decline)[sd]? to) unblock|\b((will|would|does|do|did) not( want to)?|(refuse|decline)[sd]? to) open (up )?(\w+ ){0,2}(ports|port 587)\b|(?<!\b(connection|socket)s?\b.{0,30})\bports (\w+ ){0,4}(are|stay|remain) (\w+ )?(closed|shut)\b(?! by)|keeps? (\w+ ){0,3}ports (closed|shut|blocked)\b/,
    when: (facts) => reported(facts) && noReply(facts),
  },
  {
    cause: 'cloud-port-block',
    verdict: 'stop',
    scope: 'platform',
    stage: 'tcp',
    says: /(smtp|ports?|outbound|outgoing|egress|external)\b.{0,60}(is|are|be|been|was|were|stays?|remains?) (\w+ )?(blocked|disabled|not (allowed|available|permitted|enabled)|restricted|only available|forbidden)|\bblocks? (all |outbound |outgoing )*(smtp|ports?|email) ?(traffic|ports?|connections?)?|(upgrade|enable billing).{0,60}smtp|smtp.{0,60}(upgrade|paid plan|pro plan)/,
    when: (facts) => reported(facts) && (noReply(facts) || /connection is not allowed/.test(facts.words)),
  },
  {
    cause: 'wrong-host',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tcp',
    says: /cannot (reach|connect to) .{0,30}localhost|localhost .{0,30}(container|docker)|container .{0,30}localhost/,
    when: (facts) => reported(facts) && tcpFailure(facts),
  },
  {
    cause: 'env-missing',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tcp',
    when: (facts) =>
      reported(facts) &&
      tcpFailure(facts) &&
      localAddress.test(facts.address ?? '') &&
      facts.host === undefined &&
      Object.keys(facts.config ?? {}).some((name) => /host|service/i.test(name)),
  },
  {
    cause: 'wrong-host',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tcp',
    when: (facts) =>
      reported(facts) &&
      tcpFailure(facts) &&
      (facts.systemError === 'ECONNREFUSED' || facts.systemError === 'EADDRNOTAVAIL') &&
      (localAddress.test(facts.address ?? '') ||
        (namesLocalhost(facts) && !privateAddress.test(facts.address ?? '')) ||
        /\blocalhost\b/.test(facts.raw)),
  },
  {
    // A private answer for a public name is a redirected DNS; a private host that was asked for is just down.
    cause: 'tcp-refused',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tcp',
    when: (facts) =>
      reported(facts) &&
      tcpFailure(facts) &&
      facts.systemError === 'ECONNREFUSED' &&
      privateAddress.test(facts.address ?? '') &&
      facts.host !== facts.address,
  },
  {
    cause: 'tcp-refused',
    verdict: 'failover',
    scope: 'route',
    stage: 'tcp',
    when: (facts) => tcpFailure(facts) && facts.systemError === 'ECONNREFUSED',
  },
  {
    cause: 'network',
    verdict: 'stop',
    scope: 'platform',
    stage: 'tcp',
    says: /unreachable.*(time ?out|timed out|expired)|(time ?out|timed out|expired).*unreachable/,
    when: (facts) => reported(facts) && tcpFailure(facts),
  },
  {
    cause: 'ipv6',
    verdict: 'failover',
    scope: 'route',
    stage: 'tcp',
    when: (facts) =>
      tcpFailure(facts) &&
      ['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ETIMEDOUT'].includes(facts.systemError ?? '') &&
      /(?<![0-9a-f:])[0-9a-f]{1,4}:[0-9a-f:]*:[0-9a-f]|ipv6/.test(`${facts.raw} ${facts.address ?? ''}`),
  },
  {
    cause: 'network',
    verdict: 'failover',
    scope: 'route',
    stage: 'tcp',
    when: (facts) =>
      tcpFailure(facts) && ['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL'].includes(facts.systemError ?? ''),
  },
  {
    cause: 'cloud-port-block',
    verdict: 'failover',
    scope: 'route',
    stage: 'tcp',
    when: (facts) => tcpFailure(facts) && facts.systemError === 'EACCES',
  },
  {
    cause: 'cloud-port-block',
    verdict: 'stop',
    scope: 'platform',
    stage: 'tcp',
    when: (facts) => gaveNoAnswer(facts) && everyPortIsBlocked(facts),
  },
  { cause: 'cloud-port-block', verdict: 'failover', scope: 'route', stage: 'tcp', when: gaveNoAnswer },
  // certificates and TLS
  {
    cause: 'port-tls-mismatch',
    verdict: 'failover',
    scope: 'route',
    stage: 'tls',
    says: /wrong version number|unsupported or unrecognized ssl message|(first record )?does not look like (a )?tls|unrecognized (ssl|tls) (message|record)|invalidcontenttype|invalid content type|packet length too long|unknown protocol|record (layer )?overflow|not an ssl\/?tls|does not support (ssl|ssl\/tls|tls directly)|plain ?text connection|http request|unexpected tls packet|unexpected (message|packet) .{0,30}(ssl|tls)/,
    when: tlsFailure,
  },
  {
    cause: 'tls-expired',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /(cert(ificate)?|issuer|ca)\b.{0,30}(has |is |was )?(expired|not yet valid|no longer valid)|expired .{0,10}cert|cert has expired|notafter|validity (check )?failed|certificateexpired|certificate is revoked|cert(ificate)? revoked/,
    when: tlsFailure,
  },
  {
    cause: 'tls-hostname-mismatch',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /altnames?|altname invalid|(host ?name|host|name|cn|common name|subject|certificate|cert|identity|servername)\b.{0,60}(mismatch|does not match|did not match|not match|does not contain any ip|is not valid for|not valid for name|is valid for)|no (subject )?alternative (dns )?names?|unrecognized name|remotecertificatenamemismatch|notvalidforname|wrong host name|does not contain any ip sans|no alternative certificate subject/,
    when: tlsFailure,
  },
  {
    cause: 'tls-intercepted',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /self signed cert(ificate)? in (the )?(certificate )?chain|self signed cert in chain|avast|kaspersky|zscaler|mitm|intercept/,
    when: tlsFailure,
  },
  {
    cause: 'tls-missing-intermediate',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /verify the first certificate|verify leaf signature|incomplete (certificate )?chain|missing intermediate/,
    when: tlsFailure,
  },
  {
    cause: 'tls-untrusted',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /certificate verify failed|certificate verification fail|verify(ing)? .{0,30}cert|unknown authority|unknown (ca|issuer)|unknownissuer|self ?signed|(local )?issuer certificate|pkix|certification path|cert(ificate)?\b.{0,40}(untrusted|not (be )?trusted|not been issued|could not be (validated|verified)|no known issuer|not got a known issuer|invalid|not valid)|cert (untrusted|signature failure)|untrusted (root|cert)|remotecertificatechain|remote certificate is invalid|peer ?certificate|badcertificate|bad certificate|certificate unknown|trust anchor/,
    when: tlsFailure,
  },
  {
    cause: 'tls-weak-dh',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /dh key too small|(ee|ca) (key|md) too (small|weak)|weak (ephemeral )?(dh|key)|dh_? ?lib|modulus too small|insufficient security/,
    when: tlsFailure,
  },
  {
    cause: 'tls-protocol',
    verdict: 'stop',
    scope: 'credential',
    stage: 'tls',
    says: /unsupported protocol|protocol version|no (shared|common|matching) (cipher|protocol)|no (protocols|ciphers?) (available|in common)|no appropriate protocol|unsupported (tls|ssl) version|legacy (sigalg|renegotiation)|cipher suites?|handshake ?failure|alert number (40|70)|inappropriate fallback|tls version/,
    when: tlsFailure,
  },
  {
    // Whoever saw a certificate has spoken TLS, and may name the port as well: so this stands behind all of those.
    cause: 'port-tls-mismatch',
    verdict: 'failover',
    scope: 'route',
    stage: 'tls',
    says: /\b(start)?(ssl|tls)\b.{0,40}\b(on|to) (a |the )?(port|plain)/,
    when: tlsFailure,
  },
  // the greeting and who gives it
  {
    cause: 'av-proxy',
    verdict: 'failover',
    scope: 'route',
    stage: 'greeting',
    says: /cannot connect to (the )?(smtp|remote|mail|email|upstream|destination)? ?server|connect error|(proxy|shield|gateway)\b.{0,60}(timed out|time ?out|cannot connect|unable to connect|could not connect)/,
    at: greeted,
    when: (facts) => facts.code !== undefined,
  },
  {
    cause: 'av-proxy',
    verdict: 'stop',
    scope: 'platform',
    stage: 'greeting',
    says: /\bmfe\b|mcafee|\bavast\b|\bavg\b|kaspersky|\bnorton\b|\beset\b|bitdefender|\bproxy\b|email shield|mail shield/,
    at: greeted,
  },
  {
    cause: 'http-on-smtp',
    verdict: 'stop',
    scope: 'route',
    stage: 'greeting',
    at: [...greeted, 'auth'],
    says: /\bhttp ?\/?\d?|<html|bad request|http requests? not allowed/,
    when: (facts) => /http\/\d|http requests? not allowed|<!?html|<!doctype/.test(facts.raw),
  },
  {
    cause: 'wrong-service',
    verdict: 'stop',
    scope: 'route',
    stage: 'greeting',
    at: greeted,
    when: (facts) =>
      /(^|[=\s"':])(\* (ok|bye|preauth)\b|\+ok\b|-err\b|ssh-\d)|\bimap4?(rev1)?\b|\bpop3\b|openssh|\bftp server|\* ok \[/.test(
        facts.raw,
      ) && !/smtp\.|smtp[: ]/.test(facts.raw.replace(/smtp error.*?:/, '')),
  },
  {
    cause: 'ipv6-reputation',
    verdict: 'failover',
    scope: 'route',
    stage: 'greeting',
    at: ['greeting', 'ehlo', 'tcp'],
    when: (facts) =>
      facts.code !== undefined &&
      (facts.stage !== undefined || /ipv4/.test(facts.raw)) &&
      /ipv6|(?<![0-9a-f:.])[0-9a-f]{1,4}:[0-9a-f]{1,4}:[0-9a-f:]+/.test(facts.raw) &&
      !/blocklist|spam|unsolicited|\brate\b/.test(facts.words),
  },
  {
    cause: 'wrong-host-port',
    verdict: 'stop',
    scope: 'credential',
    stage: 'greeting',
    at: ['greeting'],
    when: (facts) => {
      const port = Number(setting(facts.config, 'port') ?? Number.NaN);
      const oddPort =
        Number.isInteger(port) && ![25, 26, 465, 587, 588, 2465, 2525, 2526, 2587].includes(port);
      return noReply(facts) && (/^(webmail|imap|pop3?|www)\./.test(facts.host ?? '') || oddPort);
    },
  },
  {
    cause: 'greeting-timeout',
    verdict: 'retry',
    scope: 'route',
    stage: 'greeting',
    says: /(greeting|banner).*(intermittent|sometimes|occasional|now and then|sporadic)|(intermittent|sometimes|occasional|sporadic).*(greeting|banner)/,
    when: noReply,
  },
  {
    cause: 'greeting-timeout',
    verdict: 'failover',
    scope: 'route',
    stage: 'greeting',
    says: /greeting never received|(no|never|without|waiting for|awaiting|receiving|reading)\b.{0,40}(greeting|banner|welcome)|(greeting|banner)\b.{0,40}(time ?out|timed out|not received|never)|220 but got an empty/,
    at: greeted,
    when: (facts) =>
      noReply(facts) &&
      (facts.systemError === 'ETIMEDOUT' || facts.symptom.code === 'ETIMEDOUT' || /never/.test(facts.words)),
  },
  {
    // RFC 5321 §3.1 and RFC 7504: a host that takes no mail at all says so with 554 or 521.
    cause: 'greeting-refused',
    verdict: 'stop',
    scope: 'credential',
    stage: 'greeting',
    codes: [521, 554],
    says: /no (smtp|email) service|(host|server) does not accept email/,
    at: greeted,
  },
  // STARTTLS
  {
    cause: 'starttls-unavailable',
    verdict: 'stop',
    scope: 'route',
    stage: 'starttls',
    says: /(tls|starttls)\b.{0,40}(not available|unavailable|temporar|local problem|configuration (error|problem)|internal)/,
    codes: [4],
    at: ['tls', 'starttls', 'ehlo'],
  },
  {
    cause: 'starttls-stripped',
    verdict: 'failover',
    scope: 'route',
    stage: 'starttls',
    codes: [500, 501, 502, 503, 504, 550, 554],
    onlyAt: ['tls', 'starttls'],
  },
  {
    cause: 'starttls-unavailable',
    verdict: 'stop',
    scope: 'route',
    stage: 'starttls',
    codes: [454],
    onlyAt: ['tls', 'starttls'],
  },
  {
    cause: 'starttls-required',
    verdict: 'stop',
    scope: 'credential',
    stage: 'ehlo',
    says: /(ehlo|helo)\b.{0,60}(does not|not) support.{0,20}starttls/,
  },
  {
    cause: 'starttls-stripped',
    verdict: 'failover',
    scope: 'route',
    stage: 'starttls',
    says: /(starttls|tls)\b.{0,60}(not (supported|offered|advertised|available|announced)|no(t)? support|unsupported|but (the )?(host|server) does not)|(does not|did not|not) (support|offer|advertise|announce).{0,30}(starttls|tls)|xxxxxxx|unencrypted connection/,
    at: ['config', 'tcp', 'tls', 'starttls', 'ehlo', 'auth', 'mail'],
    when: (facts) => facts.code === undefined || facts.code >= 500,
  },
  // encryption demanded before MAIL or AUTH: nothing was accepted, and the other port has what is asked for
  {
    cause: 'starttls-required',
    verdict: 'failover',
    scope: 'route',
    stage: 'mail',
    says: /(issue|use|send|do|start|negotiate|require[sd]?|need|needs|needed)\b.{0,25}(starttls|\btls\b|\bssl\b|encrypt)|(starttls|\btls\b|\bssl\b|encryption|encrypted|secure connection|secure channel)\b.{0,30}(required|needed|first|mandatory|must|necessary)|session (must|is not|not) .{0,15}encrypt|plain ?text .{0,40}(disallowed|not (allowed|permitted)|forbidden)/,
    at: ['ehlo', 'auth', 'mail', 'rcpt', 'greeting'],
    when: (facts) => facts.code !== undefined && facts.code >= 500 && !/certificate/.test(facts.words),
  },
  {
    cause: 'starttls-required',
    verdict: 'failover',
    scope: 'route',
    stage: 'auth',
    codes: [538, 523],
    onlyAt: ['auth'],
  },
];

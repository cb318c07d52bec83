// Signing in, and what the provider thinks of the account behind it.
import { type Facts, setting } from '../facts.ts';
import { type Rule, reported } from './rule.ts';

const stop = { verdict: 'stop', scope: 'credential', stage: 'auth' } as const;

const atAuth = ({ stage, code, enhanced, symptom, words }: Facts): boolean =>
  stage === 'auth' ||
  (stage === undefined &&
    (code === 534 ||
      code === 535 ||
      code === 454 ||
      symptom.code === 'EAUTH' ||
      enhanced === '5.7.8' ||
      /authenticat|login|password|sasl|oauth|token|smtp auth\b/.test(words)));

/** Some name every possible reason at once, a busy server among them; then the password stands for all. */
const blamesPassword = ({ words }: Facts): boolean =>
  /password\b.{0,20}(incorrect|error|wrong|invalid)|(incorrect|wrong|invalid) password|authorization code|reason unavailable/.test(
    words,
  );

/** Outlook.com, which has taken the sign-in, wants its user to come to the web page. */
const wantsVerification = ({ provider, enhanced, words, stage }: Facts): boolean =>
  /account verification|verify your account|to (continue|resume) sending\b.{0,30}\blogin to your\b/.test(
    words,
  ) ||
  (provider?.id === 'outlook_personal' &&
    enhanced?.slice(2) === '3.4' &&
    stage !== 'rcpt' &&
    /requested action not taken|^req\b/.test(words));

/** Providers that have an SMTP credential of their own, beside account password and API key. */
const hasOwnCredentialKind = ({ provider, config }: Facts): boolean => {
  const user = setting(config, 'user', 'username', 'login');
  if (provider?.id === 'ses' || provider?.id === 'brevo') return true;
  if (provider?.id === 'sendgrid') return typeof user === 'string' && user !== 'apikey';
  if (provider?.id === 'resend') return typeof user === 'string' && user !== 'resend';
  return false;
};

export const accountRules: readonly Rule[] = [
  // OAuth2
  {
    ...stop,
    cause: 'oauth2-scope',
    when: (facts) =>
      atAuth(facts) &&
      (/\bscopes?\b/.test(facts.words) ||
        /gmail\.send|scope/.test(String(setting(facts.config, 'scope', 'scopes')))),
  },
  {
    ...stop,
    cause: 'oauth2-revoked',
    says: /invalid grant|(token|grant|consent)\b.{0,30}(expired|revoked|no longer valid|has been|invalidated)|aadsts(50173|700082|70008|50089)/,
    when: (facts) => atAuth(facts) || facts.code === undefined,
  },
  {
    ...stop,
    cause: 'oauth2-config',
    says: /access token|refresh token|invalid client|unauthorized client|client ?(id|secret)|\baadsts\d+|oauth2?\b.{0,40}(missing|not configured|required|invalid)/,
    when: (facts) => atAuth(facts) || facts.code === undefined,
  },
  {
    // A token that the endpoint has just given, and no other word of the server.
    ...stop,
    cause: 'oauth2-token-refused',
    onlyAt: ['auth'],
    codes: [501, 535],
    when: ({ command, enhanced }) =>
      /^AUTH (?:XOAUTH2|OAUTHBEARER)/.test(command) && !(enhanced?.slice(2) === '7.139'),
  },
  // what kind of password
  {
    ...stop,
    cause: 'auth-web-login',
    says: /(login|sign ?in)\b.{0,30}(web ?browser|via (the )?web|your browser)|webloginrequired|continuesignin|unusual (login|sign ?in)|verify (it is|that it is|your identity)|captcha/,
    when: atAuth,
  },
  {
    ...stop,
    cause: 'auth-app-password',
    says: /app(lication)? ?(specific )?pass(word|code)|invalidsecondfactor|(two|2) ?(step|factor)|\b2fa\b|\bmfa\b.{0,20}(enabled|required)|third party (app|client) password|authorization code .{0,20}(login|smtp)|client ?(specific )?authorization (code|password)/,
    when: atAuth,
  },
  {
    ...stop,
    cause: 'auth-basic-disabled',
    says: /basic auth\w*\b.{0,30}(disabled|not (supported|allowed)|blocked|retired|deprecated)|smtp ?client ?auth\w*\b.{0,30}disabled|smtp auth\w* (is )?(disabled|not enabled|turned off)|(password|legacy|plain) auth\w* (is )?(disabled|not (supported|allowed)|no longer)|less secure app|smtp (access|service|login) .{0,20}(disabled|not enabled|closed)|(not (have|been)|has not) .{0,30}smtp .{0,20}(enabled|permission|opened)|user has no permission/,
    when: (facts) => atAuth(facts) || facts.stage === 'mail',
  },
  { ...stop, cause: 'auth-basic-disabled', enhanced: /^7\.30$/ },
  {
    ...stop,
    cause: 'auth-conditional-access',
    says: /did not meet the criteria|conditional access|security defaults|blocked by (your |the )?(organization|admin\w*|security|access) polic|sign ?in polic/,
    when: atAuth,
  },
  {
    ...stop,
    cause: 'auth-mailbox-unusable',
    says: /mailbox\b.{0,30}(cannot be accessed|not (found|available|enabled)|unavailable|not licensed|does not exist)|no (mailbox|licen[sc]e)|licen[sc]e/,
    onlyAt: ['auth'],
    when: ({ code }) => code === undefined || code >= 500,
  },
  // who and from where
  {
    ...stop,
    cause: 'auth-ip-not-authorized',
    says: /(unauthorized|unrecognized|unknown|untrusted|disallowed|not (an? )?(authorized|allowed|whitelisted|permitted|trusted)) .{0,20}\bip\b|\bip( address)?s?( ip)?\b.{0,50}(not (in|on|authorized|allowed|whitelisted|permitted|trusted|accept)|unauthorized|restrict|is blocked from (logging|signing))|(restricted|limited) .{0,20}\bips?\b|allow ?list/,
    when: (facts) => atAuth(facts) || facts.code === 525,
  },
  { ...stop, cause: 'auth-ip-not-authorized', codes: [525], at: ['auth', 'mail', 'greeting', 'ehlo'] },
  {
    // Relays that know their clients by address say so when the recipient is named.
    ...stop,
    cause: 'auth-ip-not-authorized',
    says: /\bip( address)?\b.{0,30}registered .{0,80}(not|mismatch)|invalid credentials for relay/,
    when: ({ code }) => code !== undefined,
  },
  {
    ...stop,
    cause: 'auth-geo-block',
    says: /\bgeo\b|geograph|geo ?(ip|block|fenc)|\bcountry|countries|(login|sign ?in|access) from (this|your) (location|region)|foreign (ip|login)/,
    when: atAuth,
  },
  {
    ...stop,
    cause: 'auth-account-locked',
    says: /(account|mailbox(es)?|user|subscription|login)\b.{0,30}(locked|lockout|inaccessible|frozen)|locked (account|mailbox|out)|temporar\w+ (locked|blocked|banned)/,
    when: (facts) => atAuth(facts) || (facts.code === undefined && reported(facts)),
  },
  {
    ...stop,
    cause: 'auth-account-blocked',
    says: /(account|user|sender|mailbox|address|access|you|domain)\b.{0,50}(blocked|suspend|disabled|deactivat|inactive|banned|terminated|closed|restricted)|(blocked|suspended|disabled|deactivated|banned)\b.{0,20}(account|user|sender|mailbox)|(bad|failed|wrong|invalid|incorrect|unsuccessful) (auth\w*|login)\b.{0,15}(attempts?|tries|commands)/,
    when: (facts) => atAuth(facts) && !/authentication (is )?disabled|mechanism/.test(facts.words),
  },
  {
    ...stop,
    cause: 'account-permission',
    says: /(does not|not) have (an? |the |any )?(valid |active )?(subscription|access|permission|right|privilege)|(plan|subscription|package|licen[sc]e) does not (include|allow|permit)|not (entitled|subscribed|permitted to use|authorized to use) |authorizationfailed/,
    when: (facts) => atAuth(facts) && !/expired|send as|from/.test(facts.words),
  },
  {
    ...stop,
    cause: 'account-inactive',
    says: /account\b.{0,30}\b(not|un) ?(yet |been |be )*(activated|confirmed|approved|verified|validated)|(activate|request activation of) your( \w+)? account|request activation/,
    when: (facts) => atAuth(facts),
  },
  // the server's own trouble
  {
    cause: 'auth-provider-fault',
    verdict: 'retry',
    scope: 'credential',
    stage: 'auth',
    says: /storage server|backend|(internal|temporary|transient)\b.{0,20}(server |system |lookup |authentication |auth )?(error|failure|problem|fault)|temporar\w+ (unavailable|unable|not available|lookup|fail)|(auth\w*|sasl|ldap|login|directory|database)\b.{0,30}(service|server|backend|system|daemon|mechanism)?\b.{0,10}(unavailable|not available|not respond|down|connection lost|unreachable|time ?out|timed out)|(connection|communication) .{0,20}(lost|fail|error)\w* .{0,20}(auth|server)|unable to (contact|connect|reach|verify|check)|try again later|system (is )?(busy|overload)/,
    when: (facts) => atAuth(facts) && !blamesPassword(facts),
  },
  // how
  {
    ...stop,
    cause: 'auth-not-advertised',
    says: /auth\w*( command| extension)?\b.{0,40}(not (advertised|offered|enabled|available|implemented|announced|recognized)|unavailable|unsupported by|not supported( by (the )?server)?$|extension not supported)|(does not|no|not) (support|offer|advertise)\w* (smtp )?auth|503 auth|bad sequence|command not (implemented|recognized)|unrecognized command|auth .{0,20}(before|without)/,
    when: (facts) => atAuth(facts) || (/\bauth\b/.test(facts.words) && facts.code === 503),
  },
  {
    ...stop,
    cause: 'auth-mechanism',
    says: /(unrecognized|unsupported|unknown|invalid|no (supported|suitable|compatible|common|matching|acceptable|available|authentication)|not supported) .{0,20}(auth\w* )?(type|mechanism|method|scheme)s?|mechanism\b.{0,40}(not (supported|available|recognized|allowed)|unsupported|too weak|available|found|supported by both)|(no|none of the) .{0,30}(mechanism|authenticator)s?\b/,
    when: (facts) => atAuth(facts) || /authenticat/.test(facts.words),
  },
  // RFC 4954 §6: 432 4.7.12 asks for a sign-in with PLAIN once; no other try will be answered otherwise.
  { ...stop, cause: 'auth-mechanism', enhanced: /^7\.12$/, codes: [432] },
  // not at all
  {
    ...stop,
    cause: 'auth-missing',
    stage: 'mail',
    says: /auth(?!or)\w* (is )?(required|needed|mandatory|first|necessary)|(require|need|must|please|should|you have to|have to)\w* .{0,30}(auth(?!or)\w*|login|logged in|sign in)\b|not (yet )?(been )?(authenticated|logged in|authenticate)|unauthenticated (sender|user|client|connection|email not|email is not allowed)|wantautherror|no auth\w* (provided|given|credentials)|client (was |is )?not authenticated|anonymous .{0,20}(not (allowed|permitted)|denied|disabled)|login (first|required)|pop before smtp|without auth/,
    when: (facts) => {
      const { code, words, stage } = facts;
      return (
        code !== 535 &&
        !wantsVerification(facts) &&
        !/logged in as\b/.test(words) &&
        !/\b(spf|dkim|dmarc)\b|sender (is )?unauthenticated|authentication checks/.test(words) &&
        stage !== 'dns'
      );
    },
  },
  { ...stop, cause: 'auth-missing', stage: 'mail', enhanced: /^7\.57$/ },
  // wrong
  {
    ...stop,
    cause: 'auth-wrong-credential-type',
    says: /key not found|api ?key|access key|smtp (key|credentials?) .{0,30}(required|instead|not)|invalid (key|token)|sasl authentication failed: .{0,10}key/,
    when: atAuth,
  },
  {
    ...stop,
    cause: 'auth-wrong-credential-type',
    when: (facts) =>
      atAuth(facts) && hasOwnCredentialKind(facts) && (facts.code === undefined || facts.code >= 500),
  },
  {
    ...stop,
    cause: 'auth-works-locally',
    says: /(local(ly|host)?|laptop|my machine|dev(elopment)?|on (my )?mac)\b.{0,80}(deploy|prod|server|cloud|vm\b|container|cluster|heroku|render|railway|azure|live|online|hosting)|(deploy|prod|server|container|live)\w*\b.{0,60}\b(locally|localhost|laptop|on my)/,
    when: (facts) => reported(facts) && atAuth(facts),
  },
  {
    // A company's own Exchange often accepts its servers by address and knows no passwords for them.
    ...stop,
    cause: 'auth-not-needed',
    enhanced: /^7\.3$/,
    when: ({ providerName }) => /exchange|on ?prem/.test(providerName),
  },
  {
    ...stop,
    cause: 'auth-bad-credentials',
    says: /(user ?name|user|login|pass(word|phrase)?|credentials?|account)\b.{0,50}(not accepted|incorrect|invalid|wrong|mismatch|bad|denied|failed|not (match|recognized|correct|found|valid)|does not (match|exist)|unknown)|(incorrect|invalid|wrong|bad|unknown) .{0,20}(user|login|pass|credentials?|auth\w*)|auth\w*\b.{0,30}(fail|unsuccessful|denied|rejected|error|invalid|refused|not successful)|badcredentials|could not (authenticate|login)|(fail\w*|unable|not) to (authenticate|login)|login (fail|denied|incorrect|invalid)|not authenticate|smtpauthentication/,
    when: (facts) =>
      (atAuth(facts) || facts.code === 535 || /^auth failed/.test(facts.words)) &&
      (facts.code === undefined || facts.code >= 500),
  },
];

/** The account is known and signed in, but may not send. At RCPT the same words are about the recipient. */
export const accountStateRules: readonly Rule[] = [
  {
    // A 4xx that never passes by itself: Exchange signs an application in before it looks at its rights.
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'oauth2-mailbox-permission',
    at: ['data', 'dot'],
    says: /mailbox (logon|login) failure|mapiexceptionlogonfailed|cannot open mailbox/,
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'abuse-lock',
    says: /(unusual|suspicious|abnormal|abusive)\b.{0,20}(sending |sender |account |outbound |outgoing )?(activity|behaviou?r|usage)|(sending|outgoing|outbound)(?! to\b)( email)?\b.{0,40}(blocked|suspended|disabled|restricted|prohibited|paused|stopped)|not allowed to send (email|messages)( any ?more)?$|(abuse|compromised)\b.{0,40}(account|detected|block)|(unsolicited|spam|bulk) email (is |was |being )?(originating|coming|sent|received) from (your|this) (address|account|server|host|domain|network)|(dictionary|harvest\w*) attack|too many (invalid|unknown|bad|nonexistent) (recipients|users|addresses)/,
    when: ({ words, code }) =>
      !/from ip range|\bip range\b/.test(words) &&
      !(code !== undefined && code < 500 && /too many|unsolicited/.test(words)),
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'account-blocked',
    says: /bad outbound sender|outbound ?spam|wascl|sender address (is )?blocked|(your|sender|sending|this|the|from)( email| smtp| user)? (account|mailbox|domain|server|tenant|organization)\b.{0,60}(blocked|suspend|disabled|deactivat|banned|restricted|locked|exceeded a threshold)|(account|tenant|organization|sender)\b.{0,20}(has been |is |was )(blocked|suspended|deactivated|banned|disabled)|blocked from sending/,
    when: ({ stage, words, enhanced }) =>
      !(enhanced?.slice(2) === '2.1' && !/\byour\b/.test(words)) &&
      !(stage === 'rcpt' && !/\b(your|sender|sending|outbound|tenant|organization)\b/.test(words)) &&
      !/tried to reach|trying to (reach|contact)|recipient/.test(words),
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'account-inactive',
    says: /(your|smtp|sending|this)( \w+){0,2} account\b.{0,30}\bnot\b.{0,15}(activated|active|approved|confirmed|verified|enabled|validated)|(your|smtp|sending|this)( \w+){0,2} account\b.{0,20}(pending|under review|awaiting|must be (activated|verified|approved))|(activate|request activation of) your( \w+)? account|request activation|confirm your (email|account|address|identity)/,
    when: ({ stage, words }) => stage !== 'rcpt' || /\b(your|smtp|sending)\b/.test(words),
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'account-permission',
    says: /not authorized to perform|(api ?key|key|token|credentials?|account|user|subuser|role)\b.{0,40}(lacks?|without|does not have|missing|insufficient|not have)\b.{0,25}(permissions?|scopes?|privileges?|rights?)|(insufficient|missing|no) (permissions?|privileges?|scopes?)|(key|token|account) (is |was )?(restricted|limited) to|read only (key|token|account)/,
    when: ({ words, stage }) =>
      stage !== 'accepted' &&
      (stage !== 'rcpt' || /\b(key|token|credentials?|perform)\b/.test(words)) &&
      !/send (as|from|on behalf)|\bsender\b|\brecipient|\b(to|for) (this|the|that) (group|list)/.test(words),
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'hotmail-policy',
    when: wantsVerification,
  },
  {
    verdict: 'stop',
    scope: 'credential',
    stage: 'dot',
    cause: 'account-blocked',
    enhanced: /^(1\.8|7\.70[58]|7\.50[1-3])$/,
    codes: [5],
    when: ({ stage, words }) => stage !== 'greeting' && !/domain|not found|dns|\bip\b|resolv/.test(words),
  },
  {
    verdict: 'stop',
    scope: 'sender',
    stage: 'dot',
    cause: 'sender-mailbox-full',
    at: ['data', 'dot'],
    enhanced: /^2\.2$/,
    codes: [554],
    when: ({ words }) => !/recipient|tried to reach/.test(words),
  },
  {
    verdict: 'stop',
    scope: 'sender',
    stage: 'dot',
    cause: 'sender-mailbox-full',
    says: /sender mailbox.{0,20}full|submission.{0,40}(mailboxfull|quotaexceeded)|(your|sender) mailbox (is )?(full|over)/,
  },
];

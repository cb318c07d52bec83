// Replies about who sends: address, domain, client name, IP address. Postfix and others hold such refusals back
// until RCPT (smtpd_delay_reject), so the stage says nothing: none of them is the recipient's fault.
import type { Facts } from '../facts.ts';
import { type Rule, transaction } from './rule.ts';

const stop = { verdict: 'stop', scope: 'sender', stage: 'mail' } as const;
const lane = { verdict: 'stop', scope: 'credential', stage: 'rcpt' } as const;

const inTransaction = ({ stage, code }: Facts): boolean =>
  (stage === undefined && code !== undefined) || stage === undefined || transaction.includes(stage);

/** Before everything about sign-in, whose words ("unauthenticated") these share. */
export const domainProofRules: readonly Rule[] = [
  {
    cause: 'temporary-refusal',
    verdict: 'retry',
    scope: 'message',
    stage: 'dot',
    codes: [4],
    says: /(spf|dkim|dmarc)\b.{0,60}(temp ?error|temporar|dns|lookup|time ?out|no response)|(temp ?error|temporar\w+).{0,40}(spf|dkim|dmarc|reverse dns)|verif\w* .{0,60}(deferred|in progress|tim(e|ed) ?out|connection)|(could not|unable to|cannot) (complete|verify) .{0,20}(sender|address|verif\w*)/,
  },
  {
    ...stop,
    stage: 'dot',
    cause: 'dmarc-spf-dkim',
    says: /\b(dmarc|spf|dkim)\b|sender policy framework|domainkeys|sender (is )?unauthenticated|unauthenticated email from|email is unauthenticated|authentication checks|required authentication level|email authentication (fail|requirement)|not (pass|meet) .{0,40}authentication|dmarcrejection|unauthenticatedmail/,
    when: ({ stage, words }) => stage !== 'auth' && !/unusual (rate|amount|volume)/.test(words),
  },
  {
    ...stop,
    stage: 'dot',
    cause: 'dmarc-spf-dkim',
    enhanced: /^7\.(2[0-4]|26|27|29|3[1-9]|40|509|515)$/,
    at: transaction,
  },
];

export const senderRules: readonly Rule[] = [
  {
    ...stop,
    cause: 'sender-empty',
    when: (facts) =>
      inTransaction(facts) &&
      (/(mail )?from: ?<>/.test(facts.raw) ||
        /(empty|null|blank|missing|no) (envelope )?(sender|from address|return path|reverse path)|(sender|from)( address)? (is |must not be )?(empty|blank|missing)/.test(
          facts.words,
        )) &&
      facts.stage !== 'accepted',
  },
  // not the domain's own server, or nobody's
  {
    ...lane,
    cause: 'helo-rejected',
    says: /\b(helo|ehlo)\b.{0,60}(reject|invalid|need|required?|fully|fqdn|not (found|resolv|match|valid|accept)|does not|refused|denied|bogus|forged|syntax|impersonat|argument|policy)|(reject|invalid|bogus|forged|bad)\w* .{0,20}\b(helo|ehlo)\b|(greeting|introduc\w+) .{0,30}(fully qualified|fqdn|host ?name)|need fully qualified host ?name/,
    when: ({ words, code }) => code !== undefined && !/starttls/.test(words),
  },
  {
    ...lane,
    cause: 'no-reverse-dns',
    says: /\bptr\b|\bip\b.{0,20}name lookup failed|forward dns|unverif\w+ sending ip|mismatches? client ip|unresolvable relay|reverse (dns|lookup|host|name|resolution|mapping)|\brdns\b|cannot find your (reverse )?host ?name|(client|your|connecting) .{0,20}host ?name .{0,20}(not found|unknown)|no dns (record|entry) for .{0,20}ip|fcrdns|iprev/,
    when: ({ code }) => code !== undefined,
  },
  { ...lane, cause: 'no-reverse-dns', enhanced: /^7\.25$/ },
  {
    ...lane,
    cause: 'ip-blocklist',
    says: /(?<!not )((block|black|deny)list|block list|\brbl\b|dnsbl|(?<!not )listed (at|in|on|by|with)\b)|reputation\b.{0,40}\b(ip|ipnumber|client|host|server|network|range)\b|\b(ip|ipnumber|client|host|server|network|range)\b.{0,60}reputation|\b(ips?|client host|ip (address|range))\b.{0,60}(spam|abuse|banned|blocked|listed|denied|refused)|(spam|abuse)\b.{0,40}\b(ip|ip range|your (server|host|network))\b|ipnumber\b.{0,40}(banned|blocked|listed|denied|refused)|(blocked|banned)\b.{0,30}\b(ip|ipnumber)\b|banned send(er|ing)|not accepted from (this|your) ip\b|^(access |email )?blocked( see| for|$)|s3140|s3150|(poor|bad|low) (reputation|karma)|dynamic (ip|address|range)|residential|\bip\b.{0,30}(reject|forbidden|bad|profile)|(bad|extreme bad|banned|forbidden|black) ip|open proxy|(you are|your (ip|host|server|remotehost))\b.{0,30}(spam|abus)|(spams?|errors|unwanted)\b.{0,40}(your|following) ip|refused see weblink|^(\w+ ){0,3}blocked (using|by)( |$)|(email )?server at .{0,20} is blocked|no access from email server|use the smtp server of your isp|(confirm this|your) (email )?server requires? confirmation|host refused to talk to me|blocked by spam statistics|spam ?source|server at ipnumber .{0,20}spam|messages from .{0,20}(permanently deferred|rejected|blocked)|too many errors from your ip|access to (submit messages to )?this email system/,
    when: (facts) =>
      facts.code !== undefined &&
      !/\b(urls?|links?|content|body|domain in)\b|spam ?(assassin|filter)|(detected|classified|identified) as spam/.test(
        facts.words,
      ) &&
      // Who is on a list stays there; what is merely slowed down comes with a 4yz and asks to come back.
      !(
        facts.code < 500 &&
        /\brate\b|temporar|(try|retry|again|come back) later|try again|deferred|too many/.test(facts.words) &&
        !/(block|black|deny)?listed\b|(blocked|found|refused|denied|rejected)\b.{0,30}(block|black)list|(block|black)list\b.{0,30}(blocked|entry)/.test(
          facts.words,
        )
      ),
  },
  { ...lane, cause: 'ip-blocklist', enhanced: /^7\.(51[0-2]|60[6-9]|6[1-4]\d)$/, codes: [5] },
  {
    ...lane,
    cause: 'client-refused',
    says: /client (host|was|is|address)?\b.{0,30}(reject|refus|denied|not (allowed|permitted|accept))|(you are|your (host|server|client|network)|this (host|server|client))\b.{0,30}(not (allowed|permitted|authorized)|denied|refused).{0,20}(connect|access|use this|service|here|(send|relay) (email )?through)|connection (refused|rejected|not allowed|denied) .{0,30}(polic|your|from)/,
    when: (facts) =>
      facts.code !== undefined &&
      !/(send|sent) (as|from|on behalf)|(this|that|the) sender|sender address|from (this|the|that|your)? ?(address|sender|domain)|email from/.test(
        facts.words,
      ),
  },
  {
    // Any other refusal of the machine that delivers.
    ...lane,
    cause: 'client-refused',
    codes: [5],
    says: /\b(ips?|ipnumber|client|connecting (host|server)|your (server|host|network|isp|country)|sending (mta|server|host|ip)|host network|this email server|relay host)\b.{0,60}\b(reject|refus|denied|forbidden|blocked|not (allowed|permitted|authorized|accept|passed|have permissions to submit)|invalid|unwelcome|bad|poor)|\b(reject|refus|denied|forbidden|blocked|invalid|no access|not (allowed|permitted|accept\w*))\w*.{0,40}\b(your ip|ips?|ipnumber|client|your (server|host|network)|sending (mta|server|host)|email server)\b/,
    when: ({ words }) => !/\b(content|url|link|spam|virus|attachment|recipient|user|mailbox)\b/.test(words),
  },
  // the address
  {
    ...stop,
    cause: 'sender-domain-unknown',
    says: /sender\b.{0,60}(domain|dns|host)\b.{0,30}(not (found|exist|resolv|known)|does not (exist|resolve)|unknown|invalid|nxdomain|no (mx|a) )|domain of sender\b.{0,40}(not|resolv|exist)|(unresolvable|unknown|invalid|nonexistent|non existent) (sender|from) domain|(sender|from) (domain|address).{0,20}(not resolv|unresolv)|sender address rejected domain not found|sender domain (must|does|not|invalid)|bad sender domain|dns check fail|invalid dns mx/,
  },
  {
    ...stop,
    cause: 'sandbox-recipient',
    scope: 'sender',
    stage: 'rcpt',
    says: /sandbox|authorized recipients|only send (testing |test )?emails? to|test(ing)? (mode|account|domain)\b.{0,60}(recipient|only)|(trial|free) accounts? .{0,40}only .{0,30}(recipient|address|verified)/,
  },
  {
    ...stop,
    cause: 'sender-unverified',
    stage: 'dot',
    says: /(address|domain|sender|from|identity|identities|signature)\b.{0,40}not (yet |been |a )*(verified|validated|confirmed|activated)|unverified (sender|domain|address|email|identity|from)|verified (sender|domain|identity|address)|verify (your|the|a|this|sender) ?(own )?(domain|sender|address|from|email|identity)|(domain|sender|from|identity|address)\b.{0,30}(not (registered|configured|added|set up|approved|activated|whitelisted|valid sender)|is pending|unverified|has not been)|sender identity|sender signature|sending domain|(add|register) (and verify )?(your|the) domain|(invalid|unknown|unregistered) (from|sender|sending) (address|domain|email)|not a (valid|known|registered) sender/,
    when: (facts) =>
      inTransaction(facts) &&
      !/recipient address rejected|unverified address$|^(?!.*(sender|from|domain|identit)).*(recipient|user|mailbox)/.test(
        facts.words,
      ),
  },
  {
    ...stop,
    cause: 'sender-not-owned',
    says: /not owned|unauthorized use of|owned by|(unauthorized|not authorized|disallowed) (sender|from)( address)?\b|^(the )?(from|sender)( sender)? (name|address) (is )?not (valid|correct|permitted)|not logged in as|^sender\b.{0,30}(not|un)\b ?(allowed|authorized|permitted) to relay|sendasdenied|send as\b|on behalf|(not|no|cannot|may not|insufficient|lack|without|unauthorized|denied)\b.{0,40}(allowed|permit\w*|authoriz\w*|permissions?|rights?|entitled|able|send|use)?\b.{0,30}(send|sent|use|submit|email|relay)\w*\b.{0,25}\b(from|as|using|behalf|with) (this |the |that |your |address|sender|another|other|user)?|relaying (disallowed|not allowed|denied) as|(from|sender|envelope|return path|header)( address| header| email| domain)?( address)?\b.{0,60}(match|mismatch|differ|same as|belong|equal|correspond|not allowed|not permitted|not authorized|unauthorized|not (an? )?(alias|identity|one of|among|in|listed|associated|assigned|known)|does not)|(user|account|login|authenticated|credentials)\b.{0,40}(does not (match|own)|not (allowed|permitted|authorized) (to )?(send|use)|cannot send|mismatch)|(not|cannot)\b.{0,30}\buse (this|that|the|another) (sender|from|email|address)|spoof|impersonat|(sender|from)\b.{0,30}alias|(must|have to|should) (be|match) .{0,30}(authenticated|login|account|user|mailbox)/,
    when: (facts) =>
      inTransaction(facts) &&
      !/\bto (this|the|that|your) (recipient|address|user|mailbox|domain|group|list)|recipient address rejected|\bspam\b|unable to relay|relay access|relay(ing)? denied|(?<!^sender\b.{0,60})to relay/.test(
        facts.words,
      ),
  },
  { ...stop, cause: 'sender-not-owned', enhanced: /^(7\.60|2\.252|7\.367)$/ },
  {
    ...stop,
    cause: 'sender-refused',
    says: /(sender|from)( email)? address\b.{0,30}(must|reject|refus|invalid|denied|unacceptable|bad|not (accept|valid|allowed))|(reject|refus|invalid|bad|denied)\w* .{0,15}(sender|return path|reverse path|from address)|sender (reject|denied|refused|not accept|invalid|verify failed|verification failed|callout)|bad sender|from address .{0,20}(invalid|reject)|^(verify )?email ?from( is)? (invalid|fail)|verify email ?from fail/,
    when: inTransaction,
  },
  { ...stop, cause: 'sender-refused', enhanced: /^1\.[78]$/ },
  // the server is not ours to relay through
  {
    ...lane,
    cause: 'relay-denied',
    says: /relay(ing)?\b.{0,30}(denied|not (permitted|allowed|authorized)|prohibited|refused|rejected|disallowed|forbidden|disabled|access)|(unable|not (permitted|allowed|authorized|configured)|cannot|do not|does not|will not|refuse\w*|may not) (to )?relay|no relay|open relay|relay through|not (a |an )?(local|gateway|hosted|relay) .{0,20}(domain|host|gateway)|rcpthosts|non accepted domain|we do not relay/,
    // Source routes and % routes are a form of the recipient's address (RFC 5321 appendix C).
    when: (facts) => inTransaction(facts) && !/routed? address/.test(facts.words),
  },
];

// What each provider asks its customers to publish, and whose domain stands in MAIL FROM when it hands the mail on.
// Providers change these values: they are a hint with a date (November 2026), and what a received mail says is stronger.

export type ProviderDns = {
  readonly name: string;
  /** Domains of which one must be reachable by include or redirect; empty where SPF of the From domain does not matter. */
  readonly spf: readonly string[];
  /** Selectors that stand for every customer; empty where each customer gets its own. */
  readonly selectors: readonly string[];
  /** How the selectors are published, for the words. */
  readonly dkim: 'TXT' | 'CNAME';
  /** Where the provider shows the DKIM record. */
  readonly dkimWhere: string;
  /**
   * Whose domain is in MAIL FROM: `own` (then SPF is what counts for DMARC), `below` (a subdomain of ours that the
   * provider sets up) or `provider` (then only DKIM can align).
   */
  readonly mailFrom: 'own' | 'below' | 'provider';
  /** Where incoming mail goes when the mailboxes are there too; a part of the exchangers' names. */
  readonly exchangers: readonly string[];
};

type Id = string;

const google: ProviderDns = {
  name: 'Google Workspace',
  spf: ['_spf.google.com'],
  selectors: ['google', 'google2'],
  dkim: 'TXT',
  dkimWhere: 'Google Admin console: Apps, Google Workspace, Gmail, Authenticate email',
  mailFrom: 'own',
  exchangers: ['google.com', 'googlemail.com'],
};

const microsoft: ProviderDns = {
  name: 'Microsoft 365',
  spf: ['spf.protection.outlook.com', 'spf.protection.office365.us', 'spf.protection.partner.outlook.cn'],
  selectors: ['selector1', 'selector2'],
  dkim: 'CNAME',
  dkimWhere:
    'Microsoft Defender portal: Email & collaboration, Policies, Email authentication settings, DKIM',
  mailFrom: 'own',
  exchangers: ['mail.protection.outlook.com', 'mx.microsoft'],
};

const byProvider: Readonly<Record<Id, ProviderDns>> = {
  privateemail: {
    name: 'Namecheap Private Email',
    spf: ['spf.privateemail.com'],
    selectors: ['default'],
    dkim: 'TXT',
    dkimWhere: 'Private Email: Manage, DKIM. It is made after the first mailbox exists',
    mailFrom: 'own',
    exchangers: ['privateemail.com'],
  },
  google_workspace: google,
  google_relay: google,
  microsoft365: microsoft,
  hostinger: {
    name: 'Hostinger',
    spf: ['_spf.mail.hostinger.com'],
    selectors: ['hostingermail-a', 'hostingermail-b', 'hostingermail-c'],
    dkim: 'CNAME',
    dkimWhere: 'hPanel: Emails, the domain, DNS records',
    mailFrom: 'own',
    exchangers: ['hostinger.com'],
  },
  zoho: {
    name: 'Zoho Mail',
    spf: ['zohomail.com', 'zoho.com', 'zoho.eu', 'zohomail.eu', 'zoho.in', 'zohomail.in', 'one.zoho.com'],
    selectors: ['zmail', 'zoho'],
    dkim: 'TXT',
    dkimWhere: 'Zoho Mail Admin Console: Domains, the domain, Email configuration, DKIM',
    mailFrom: 'own',
    exchangers: ['zoho.com', 'zoho.eu', 'zoho.in'],
  },
  fastmail: {
    name: 'Fastmail',
    spf: ['spf.messagingengine.com'],
    selectors: ['fm1', 'fm2', 'fm3', 'mesmtp'],
    dkim: 'CNAME',
    dkimWhere: 'Fastmail: Settings, Domains, the domain',
    mailFrom: 'own',
    exchangers: ['messagingengine.com'],
  },
  icloud: {
    name: 'iCloud Mail',
    spf: ['icloud.com'],
    selectors: ['sig1'],
    dkim: 'CNAME',
    dkimWhere: 'iCloud settings: Custom email domain, the domain',
    mailFrom: 'own',
    exchangers: ['mail.icloud.com'],
  },
  proton: {
    name: 'Proton Mail',
    spf: ['_spf.protonmail.ch'],
    selectors: ['protonmail', 'protonmail2', 'protonmail3'],
    dkim: 'CNAME',
    dkimWhere: 'Proton: Settings, Domain names, the domain, DKIM',
    mailFrom: 'own',
    exchangers: ['protonmail.ch'],
  },
  ses: {
    name: 'Amazon SES',
    spf: [],
    // Three names of random letters for each domain.
    selectors: [],
    dkim: 'CNAME',
    dkimWhere: 'SES console: Identities, the domain, Authentication',
    mailFrom: 'provider',
    exchangers: [],
  },
  sendgrid: {
    name: 'SendGrid',
    spf: [],
    selectors: ['s1', 's2'],
    dkim: 'CNAME',
    dkimWhere: 'SendGrid: Settings, Sender Authentication, the domain',
    mailFrom: 'below',
    exchangers: [],
  },
  mailgun: {
    name: 'Mailgun',
    spf: ['mailgun.org', 'eu.mailgun.org'],
    selectors: ['pdk1', 'pdk2', 'smtp', 'mailo', 'k1', 'krs', 'mx', 'pic', 'mta', 'email'],
    dkim: 'TXT',
    dkimWhere: 'Mailgun: Send, Domains, the domain, DNS records',
    mailFrom: 'own',
    exchangers: ['mailgun.org'],
  },
  postmark: {
    name: 'Postmark',
    spf: [],
    // A date and `pm`.
    selectors: ['pm'],
    dkim: 'TXT',
    dkimWhere: 'Postmark: Sender Signatures, the domain, DNS Settings',
    mailFrom: 'provider',
    exchangers: [],
  },
  brevo: {
    name: 'Brevo',
    spf: [],
    selectors: ['brevo1', 'brevo2', 'mail'],
    dkim: 'CNAME',
    dkimWhere: 'Brevo: Senders, domains & dedicated IPs, Domains, the domain',
    mailFrom: 'provider',
    exchangers: [],
  },
  resend: {
    name: 'Resend',
    spf: [],
    selectors: ['resend'],
    dkim: 'TXT',
    dkimWhere: 'Resend: Domains, the domain',
    mailFrom: 'below',
    exchangers: [],
  },
};

/** Selectors that many set-ups use, asked when those of the provider are not there. */
export const usualSelectors: readonly string[] = [
  ...['default', 'dkim', 'mail', 'k1', 'k2', 'k3', 's1', 's2', 'selector1', 'selector2', 'google', 'zmail'],
  ...['sig1', 'dkim1', 'email', 'smtp', 'key1', 'x', 'mandrill', 'protonmail', 'fm1', 'titan1', 's1-ionos'],
];

/**
 * Undefined for a provider of which nothing is known. Somebody who sends for a domain of their own through Gmail's host
 * has a Workspace account: a personal one cannot.
 */
export function dnsOf(providerId: string | undefined): ProviderDns | undefined {
  if (providerId === 'gmail') return google;
  if (providerId === 'outlook_personal') return microsoft;
  return byProvider[providerId ?? ''];
}

/** Domains in which a provider's customers have mailboxes and nobody else can publish records, and who may send for them. */
const mailboxDomains: Readonly<Record<string, readonly Id[]>> = {
  'gmail.com': ['gmail', 'google_workspace'],
  'googlemail.com': ['gmail', 'google_workspace'],
  'outlook.com': ['outlook_personal', 'microsoft365'],
  'hotmail.com': ['outlook_personal', 'microsoft365'],
  'live.com': ['outlook_personal', 'microsoft365'],
  'msn.com': ['outlook_personal', 'microsoft365'],
  'icloud.com': ['icloud'],
  'me.com': ['icloud'],
  'yahoo.com': ['yahoo'],
  'aol.com': ['yahoo'],
  'gmx.net': [],
  'gmx.de': [],
  'web.de': [],
  'proton.me': ['proton'],
  'protonmail.com': ['proton'],
  'fastmail.com': ['fastmail'],
  'zohomail.com': ['zoho'],
};

/** Who may send for a domain of mailboxes; undefined for every other domain. */
export const ownersOf = (domain: string): readonly string[] | undefined => mailboxDomains[domain];

// What is known of mail providers: where they listen, whom they let send as whom, and how much. A fact without a
// source is left out; one that a single source claims without proof is marked `unverified`.

import { doorOf } from '../../deploy/doors.ts';

type ProviderPort = {
  readonly host: string;
  readonly port: number;
  readonly tlsMode: 'implicit' | 'starttls';
  readonly unverified?: true;
};

export type ProviderFact = {
  readonly about: string;
  readonly says: string;
  readonly source: string;
  readonly unverified?: true;
};

export type Provider = {
  readonly id: string;
  readonly name: string;
  /** `<region>` stands for one label. */
  readonly hosts: readonly string[];
  readonly ports: readonly ProviderPort[];
  readonly portsSource?: string;
  readonly facts: readonly ProviderFact[];
};

export const providers: readonly Provider[] = [
  {
    id: 'privateemail',
    name: 'Namecheap Private Email',
    hosts: ['mail.privateemail.com', 'smtp.privateemail.com'],
    ports: [
      { host: 'mail.privateemail.com', port: 465, tlsMode: 'implicit' },
      { host: 'mail.privateemail.com', port: 587, tlsMode: 'starttls' },
    ],
    portsSource: 'https://mailflowauthority.com/email-infrastructure/private-email-imap-settings',
    facts: [
      {
        about: 'sign-in',
        says: 'username = full e-mail address, mailbox password',
        source: 'https://mailflowauthority.com/email-infrastructure/private-email-imap-settings',
      },
      {
        about: 'limits',
        says: '500 messages/hour per domain on Starter',
        source: 'a comment in one public program; not confirmed by Namecheap',
        unverified: true,
      },
      {
        about: 'account lock',
        says: 'subscription is Locked (no inbound/outbound, mailbox inaccessible) for: exceeding sending limits, mass mail with invalid recipients, recipient-side rate limits/greylisting, compromise; notice comes from legalandabuse@namecheap.com / security@namecheap.com',
        source:
          'https://namecheap.com/support/knowledgebase/article.aspx/10695/2179/why-has-my-private-email-subscription-been-locked',
      },
      {
        about: 'platform',
        says: 'Namecheap documents a [NEW] Private Email for subscriptions bought on or after 2026-06-02 (older = Open-Xchange based); SMTP settings of the new platform not seen',
        source: 'https://www.namecheap.com/support/knowledgebase/article.aspx/10797/2306/ and .../9665/2178/',
      },
    ],
  },
  {
    id: 'gmail',
    name: 'Gmail (personal)',
    hosts: ['smtp.gmail.com'],
    ports: [
      { host: 'smtp.gmail.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.gmail.com', port: 587, tlsMode: 'starttls' },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json (465) ; https://mailflowauthority.com/email-infrastructure/smtp-settings-reference (587/465)',
    facts: [
      {
        about: 'sign-in',
        says: 'App Password (needs 2-Step Verification) or OAuth2; less-secure-apps disabled 2022-05-30',
        source: 'nodemailer-homepage docs/guides/using-gmail.md',
      },
      {
        about: 'limits',
        says: '500 recipients per rolling 24 h',
        source: 'nodemailer docs/guides/using-gmail.md',
      },
      {
        about: 'limit reply',
        says: '550 5.4.5 Daily user sending limit exceeded',
        source: 'woowacourse-teams/2025-ah-madda#635',
      },
      {
        about: 'From rule',
        says: 'Gmail overwrites From with the account unless alias/Send-As configured',
        source: 'nodemailer docs/guides/using-gmail.md',
      },
      {
        about: 'message size',
        says: 'EHLO SIZE 35882577 bytes encoded (~25 MB attachments)',
        source: 'EHLO log in nodemailer/nodemailer#951',
      },
      {
        about: 'recipients',
        says: '100 per message over SMTP',
        source: 'https://support.google.com/a/answer/166852 (Workspace page)',
      },
      {
        about: 'sign-in methods',
        says: 'LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH',
        source: 'EHLO log nodemailer#951',
      },
    ],
  },
  {
    id: 'google_workspace',
    name: 'Google Workspace (smtp.gmail.com)',
    hosts: ['smtp.gmail.com'],
    ports: [
      { host: 'smtp.gmail.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.gmail.com', port: 587, tlsMode: 'starttls' },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json (465) ; https://mailflowauthority.com/email-infrastructure/smtp-settings-reference (587/465)',
    facts: [
      {
        about: 'sign-in',
        says: 'App Password (needs 2-Step Verification) or OAuth2; less-secure-apps disabled 2022-05-30',
        source: 'nodemailer-homepage docs/guides/using-gmail.md',
      },
      {
        about: 'limits',
        says: '2,000 messages/day (500 trial); 10,000 total recipients/day; rolling 24 h; suspension up to 24 h',
        source: 'https://support.google.com/a/answer/166852',
      },
      {
        about: 'recipients',
        says: '100 per message via SMTP (2000 total/500 external otherwise)',
        source: 'https://support.google.com/a/answer/166852',
      },
      {
        about: 'replies',
        says: 'full list of 4xx/5xx with enhanced codes',
        source: 'https://support.google.com/a/answer/3726730',
      },
    ],
  },
  {
    id: 'google_relay',
    name: 'Google Workspace SMTP relay',
    hosts: ['smtp-relay.gmail.com'],
    ports: [
      { host: 'smtp-relay.gmail.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp-relay.gmail.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp-relay.gmail.com', port: 25, tlsMode: 'starttls', unverified: true },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json (465); nodemailer#1154 (587); 25 without a source',
    facts: [
      {
        about: 'limits',
        says: '10,000 messages and 10,000 unique recipients per user per 24 h; errors "550 5.4.5 Daily SMTP relay limit exceeded for user", "550 5.7.1 Daily SMTP relay limit exceeded for customer", "450 4.2.1 Peak SMTP relay limit exceeded for customer"',
        source: 'the relay page of Google, quoted at tallka.blogg.se ; support.google.com/a/answer/3726730',
      },
      {
        about: 'From rule',
        says: 'any address of the Workspace domain without rewriting',
        source: 'nodemailer docs/guides/using-gmail.md',
      },
    ],
  },
  {
    id: 'microsoft365',
    name: 'Microsoft 365 / Exchange Online client submission',
    hosts: ['smtp.office365.com'],
    ports: [
      { host: 'smtp.office365.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.office365.com', port: 25, tlsMode: 'starttls' },
    ],
    portsSource:
      'OfficeDocs-Exchange how-to-set-up-a-multifunction-device... (2021): "Port 587 (recommended) or port 25", TLS 1.2, use DNS name not IP',
    facts: [
      {
        about: 'port 465',
        says: 'not offered (connect ETIMEDOUT)',
        source: 'nodemailer/nodemailer#438 + the doc above',
      },
      {
        about: 'sign-in',
        says: 'SMTP AUTH must be enabled for tenant and mailbox; disabled when security defaults are on; OAuth2 supported. Basic auth: unchanged until Dec 2026, off by default end of Dec 2026 (admin may re-enable), new tenants OAuth only, final removal date to be announced H2 2027',
        source:
          'authenticated-client-smtp-submission.md ; https://mc.merill.net/message/MC786329 (2026-01-27 update) ; techcommunity ba-p/4114750',
      },
      {
        about: 'limits',
        says: '30 messages/minute; 10,000 recipients/day; 3 concurrent connections per mailbox (432 4.3.2)',
        source:
          'https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/smtp-submission-improvements',
      },
      {
        about: 'From rule',
        says: 'yes unless Send As granted (554 5.2.252 / 550 5.7.60)',
        source: 'gophish#2900, gophish#1600',
      },
      {
        about: 'quirk',
        says: 'submitted mail is stored in Sent Items; full mailbox => 554 5.2.2',
        source: 'learn.microsoft.com smtp-submission-improvements',
      },
    ],
  },
  {
    id: 'outlook_personal',
    name: 'Outlook.com / Hotmail',
    hosts: ['smtp-mail.outlook.com'],
    ports: [{ host: 'smtp-mail.outlook.com', port: 587, tlsMode: 'starttls' }],
    portsSource: 'nodemailer@9.0.5 lib/well-known/services.json',
    facts: [
      {
        about: 'sign-in',
        says: 'password auth refused: 535 5.7.139 basic authentication is disabled; OAuth2 only',
        source: 'nodemailer#1714/#1715',
      },
    ],
  },
  {
    id: 'hostinger',
    name: 'Hostinger Email',
    hosts: ['smtp.hostinger.com'],
    ports: [
      { host: 'smtp.hostinger.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.hostinger.com', port: 587, tlsMode: 'starttls', unverified: true },
    ],
    portsSource: '465: hostinger/api#19; 587 without a source',
    facts: [
      { about: 'sign-in', says: 'full e-mail + mailbox password', source: 'hostinger/api#19' },
      {
        about: 'limits',
        says: 'Business Starter 1000/day, Business Premium 3000/day per mailbox, rolling 24 h (page modified 2026-03-30; free/trial plans lower)',
        source:
          'https://support.hostinger.com/uk/articles/4625828 and https://www.hostinger.com/support/4625828-parameters-and-limits-of-hostinger-email/',
      },
      {
        about: 'recipients',
        says: '100 per message (to+cc+bcc)',
        source: 'https://support.hostinger.com/uk/articles/4625828',
      },
    ],
  },
  {
    id: 'hostinger_cpanel',
    name: 'Hostinger cPanel e-mail',
    hosts: [],
    ports: [],
    facts: [
      {
        about: 'limits',
        says: '200/hour and 2400/day per hosting plan (higher on some Niagahoster plans); >5 deferred/hour also limits; sending auto-disabled when reached',
        source: 'https://support.hostinger.com/en/articles/6550582-parameters-and-limits-of-cpanel-email',
      },
      {
        about: 'recipients',
        says: '20 when sending',
        source: 'https://support.hostinger.com/en/articles/6550582-parameters-and-limits-of-cpanel-email',
      },
      {
        about: 'message size',
        says: '20 MB incl. attachments',
        source: 'https://support.hostinger.com/en/articles/6550582-parameters-and-limits-of-cpanel-email',
      },
    ],
  },
  {
    id: 'zoho',
    name: 'Zoho Mail',
    hosts: ['smtp.zoho.com', 'smtp.zoho.eu', 'smtppro.zoho.com'],
    ports: [
      { host: 'smtp.zoho.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.zoho.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.zoho.eu', port: 465, tlsMode: 'implicit' },
      { host: 'smtppro.zoho.com', port: 465, tlsMode: 'implicit', unverified: true },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json ; 587 STARTTLS log PHPAuth/PHPAuth#282 ; zoho.eu mattermost#13224',
    facts: [
      {
        about: 'sign-in',
        says: 'LOGIN PLAIN',
        source: 'EHLO log PHPAuth#282',
      },
      {
        about: 'From rule',
        says: 'yes: 553 Relaying disallowed as <from>, at END OF DATA',
        source: 'mattermost#13224, mybb#2644',
      },
      {
        about: 'limits',
        says: 'plan dependent; "550 5.4.6 Unusual sending activity detected" may need 1-5 business days',
        source: 'https://www.zoho.com/mail/help/usage-policy.html',
      },
      { about: 'message size', says: 'EHLO SIZE 53477376 (2018)', source: 'PHPAuth#282' },
    ],
  },
  {
    id: 'fastmail',
    name: 'Fastmail',
    hosts: ['smtp.fastmail.com'],
    ports: [
      { host: 'smtp.fastmail.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.fastmail.com', port: 587, tlsMode: 'starttls' },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json ; https://xenocept.com/docs/email-setup/fastmail.html',
    facts: [
      { about: 'sign-in', says: 'app password always required for SMTP', source: 'xenocept docs' },
      { about: 'From rule', says: 'login or any verified alias', source: 'xenocept docs' },
    ],
  },
  {
    id: 'icloud',
    name: 'iCloud Mail',
    hosts: ['smtp.mail.me.com'],
    ports: [{ host: 'smtp.mail.me.com', port: 587, tlsMode: 'starttls' }],
    portsSource: 'nodemailer@9.0.5 lib/well-known/services.json ; third-party pages disagree about 465',
    facts: [
      {
        about: 'sign-in',
        says: 'app-specific password, 2FA required',
        source: 'https://postigo.net/smtp/icloud',
      },
      {
        about: 'limits',
        says: '1000 messages/day, 1000 recipients/day',
        source: 'https://support.apple.com/en-ca/102198',
      },
      { about: 'recipients', says: '500 per message', source: 'https://support.apple.com/en-ca/102198' },
      {
        about: 'message size',
        says: '20 MB (5 GB Mail Drop)',
        source: 'https://support.apple.com/en-ca/102198',
      },
      {
        about: 'limit reply',
        says: '550 5.7.1 <user>: You have exceeded your daily sending limit. Please try again later.',
        source: 'http://support.apple.com/kb/HT4863 (older page, limit then 200/day)',
      },
    ],
  },
  {
    id: 'yahoo',
    name: 'Yahoo Mail',
    hosts: ['smtp.mail.yahoo.com'],
    ports: [
      { host: 'smtp.mail.yahoo.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.mail.yahoo.com', port: 587, tlsMode: 'starttls', unverified: true },
    ],
    portsSource: 'nodemailer@9.0.5 lib/well-known/services.json (465); 587 without a source',
    facts: [],
  },
  {
    id: 'ses',
    name: 'Amazon SES SMTP',
    hosts: ['email-smtp.<region>.amazonaws.com'],
    ports: [
      { host: 'email-smtp.<region>.amazonaws.com', port: 465, tlsMode: 'implicit' },
      { host: 'email-smtp.<region>.amazonaws.com', port: 2465, tlsMode: 'implicit' },
      { host: 'email-smtp.<region>.amazonaws.com', port: 587, tlsMode: 'starttls' },
      { host: 'email-smtp.<region>.amazonaws.com', port: 2587, tlsMode: 'starttls' },
      { host: 'email-smtp.<region>.amazonaws.com', port: 25, tlsMode: 'starttls' },
    ],
    portsSource:
      'https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html (465,587,2465,2587; 25 throttled on EC2)',
    facts: [
      {
        about: 'sign-in',
        says: 'SES SMTP credentials (not IAM keys), per region',
        source: 'https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html',
      },
      {
        about: 'limits',
        says: 'per-account daily quota and per-second rate; errors 454 Throttling failure: Maximum sending rate exceeded / Daily message quota exceeded; 421 Too many concurrent SMTP connections',
        source: 'AWS manage-sending-quotas-errors, smtp-response-codes',
      },
      {
        about: 'retrying',
        says: 'retry 4xx after 5 s, 10 s, 30 s, then 20 min',
        source: 'https://docs.aws.amazon.com/ses/latest/DeveloperGuide/smtp-response-codes.html',
      },
      {
        about: 'From rule',
        says: 'verified identity in the same region; in sandbox recipients must be verified too',
        source: 'mageplaza#211, GoogleCloudPlatform/cloud-build-notifiers#87',
      },
    ],
  },
  {
    id: 'sendgrid',
    name: 'Twilio SendGrid',
    hosts: ['smtp.sendgrid.net'],
    ports: [
      { host: 'smtp.sendgrid.net', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.sendgrid.net', port: 2525, tlsMode: 'starttls' },
      { host: 'smtp.sendgrid.net', port: 25, tlsMode: 'starttls' },
      { host: 'smtp.sendgrid.net', port: 465, tlsMode: 'implicit' },
    ],
    portsSource:
      'https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api',
    facts: [
      {
        about: 'sign-in',
        says: 'user is the literal "apikey", password = API key; beware newline in the key',
        source:
          'https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api',
      },
      {
        about: 'limits',
        says: '5,000 messages per connection, 10,000 concurrent connections; plan credits: 451 Authentication failed: Maximum credits exceeded',
        source:
          'https://www.twilio.com/docs/sendgrid/for-developers/sending-email/integrating-with-the-smtp-api ; mautic#8721',
      },
      { about: 'From rule', says: 'verified sender identity: 550 at DATA', source: 'LandOfTheRair#308' },
      { about: 'message size', says: 'EHLO SIZE 31457280', source: 'mautic#8721 log' },
      { about: 'note', says: 'do not pin IPs', source: 'mautic#8721 log' },
    ],
  },
  {
    id: 'mailgun',
    name: 'Mailgun',
    hosts: ['smtp.mailgun.org', 'smtp.eu.mailgun.org'],
    ports: [
      { host: 'smtp.mailgun.org', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.mailgun.org', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.mailgun.org', port: 2525, tlsMode: 'starttls' },
      { host: 'smtp.eu.mailgun.org', port: 587, tlsMode: 'starttls', unverified: true },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json (465) ; 2525: yasslab/sample_apps#102, TryGhost/Docs#136',
    facts: [
      {
        about: 'limits',
        says: 'sandbox/free: authorised recipients only',
        source: 'mailgun/wordpress-plugin#68',
      },
    ],
  },
  {
    id: 'postmark',
    name: 'Postmark',
    hosts: ['smtp.postmarkapp.com'],
    ports: [
      { host: 'smtp.postmarkapp.com', port: 2525, tlsMode: 'starttls' },
      { host: 'smtp.postmarkapp.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.postmarkapp.com', port: 25, tlsMode: 'starttls', unverified: true },
    ],
    portsSource:
      'nodemailer@9.0.5 lib/well-known/services.json (2525); https://maillayer.com/docs/provider-smtp (587); 25 without a source',
    facts: [],
  },
  {
    id: 'brevo',
    name: 'Brevo',
    hosts: ['smtp-relay.brevo.com'],
    ports: [
      { host: 'smtp-relay.brevo.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp-relay.brevo.com', port: 2525, tlsMode: 'starttls' },
      { host: 'smtp-relay.brevo.com', port: 465, tlsMode: 'implicit' },
    ],
    portsSource: 'https://help.brevo.com/hc/it/articles/115000188150 (587, 465, 2525)',
    facts: [
      {
        about: 'sign-in',
        says: 'user = SMTP login, password = SMTP key (not the API key, not the account password)',
        source:
          'https://help.brevo.com/hc/it/articles/115000188150 (587, 465, 2525) ; smtptester.org/guides/brevo-smtp-test',
      },
      {
        about: 'authorised IPs',
        says: 'authorised IPs on by default for accounts created after 2024-05-16; must authorise server IP',
        source: 'https://wpmailsmtp.com/docs/brevo-unauthorized-not-verified/',
      },
    ],
  },
  {
    id: 'resend',
    name: 'Resend SMTP',
    hosts: ['smtp.resend.com'],
    ports: [
      { host: 'smtp.resend.com', port: 465, tlsMode: 'implicit' },
      { host: 'smtp.resend.com', port: 2465, tlsMode: 'implicit' },
      { host: 'smtp.resend.com', port: 587, tlsMode: 'starttls' },
      { host: 'smtp.resend.com', port: 2587, tlsMode: 'starttls' },
      { host: 'smtp.resend.com', port: 25, tlsMode: 'starttls' },
    ],
    portsSource: 'Resend documentation, send-with-smtp',
    facts: [
      {
        about: 'sign-in',
        says: 'user = "resend", password = API key',
        source: 'Resend documentation, send-with-smtp',
      },
      {
        about: 'limits',
        says: 'same rate limit as the API',
        source: 'Resend documentation, send-with-smtp',
      },
      {
        about: 'idempotency',
        says: 'Resend-Idempotency-Key header works over SMTP',
        source: 'Resend documentation, send-with-smtp',
      },
      {
        about: 'From rule',
        says: 'verified domain',
        source: 'https://smtptester.org/guides/resend-smtp-test/',
      },
    ],
  },
  {
    id: 'proton',
    name: 'Proton Mail',
    hosts: ['smtp.protonmail.ch'],
    ports: [{ host: 'smtp.protonmail.ch', port: 587, tlsMode: 'starttls' }],
    portsSource: 'nodemailer@9.0.5 lib/well-known/services.json',
    facts: [],
  },
  {
    id: 'godaddy',
    name: 'GoDaddy',
    hosts: ['smtpout.secureserver.net'],
    ports: [
      { host: 'smtpout.secureserver.net', port: 465, tlsMode: 'implicit', unverified: true },
      { host: 'smtpout.secureserver.net', port: 587, tlsMode: 'starttls', unverified: true },
    ],
    portsSource: 'nodemailer@9.0.5 lib/well-known/services.json lists port 25; 465 and 587 without a source',
    facts: [
      {
        about: 'note',
        says: 'nodemailer service:"Godaddy" uses port 25 which most clouds block',
        source: 'nodemailer@9.0.5 lib/well-known/services.json',
      },
    ],
  },
];

// What people and other tools call them.
const otherNames: Readonly<Record<string, string>> = {
  outlook: 'outlook_personal',
  hotmail: 'outlook_personal',
  office365: 'microsoft365',
  'smtp relay': 'google_relay',
  workspace: 'google_workspace',
  amazonses: 'ses',
  'amazon ses': 'ses',
  sendinblue: 'brevo',
  namecheap: 'privateemail',
};

/**
 * The provider by its key, else by the host it is reached at, else by the name that the words of a report mention.
 * Where two share a host the first is meant; undefined when it is none we know.
 */
export function providerOf(key: string | undefined, host: string, words: string): Provider | undefined {
  const id = key?.toLowerCase().split(/[(/]/)[0]?.trim().replaceAll(/[-. ]/g, '_') ?? '';
  return (
    byId(id) ??
    byId(otherNames[id] ?? '') ??
    byHost(host.trim().toLowerCase()) ??
    byId(doorOf(host.trim().toLowerCase()) ?? '') ??
    byId(mentioned(words))
  );
}

function byId(id: string): Provider | undefined {
  return providers.find((provider) => provider.id === id);
}

function byHost(host: string): Provider | undefined {
  if (host === '') return undefined;
  const named = byId(host) ?? byId(otherNames[host] ?? '');
  return (
    named ??
    providers.find((provider) =>
      provider.hosts.some((known) => {
        const [before, after] = known.split('<region>');
        return after === undefined ? host === known : host.startsWith(before ?? '') && host.endsWith(after);
      }),
    )
  );
}

function mentioned(words: string): string {
  const names = [...providers.map(({ id }) => id), ...Object.keys(otherNames)];
  const name = names.find((candidate) => new RegExp(`\\b${candidate.replaceAll('_', ' ')}\\b`).test(words));
  return name === undefined ? '' : (otherNames[name] ?? name);
}

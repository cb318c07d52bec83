// What each provider tells its customers to publish for example.com, written down from their own pages (November 2026).
import { generateKeyPairSync } from 'node:crypto';

const key = `"v=DKIM1; k=rsa; p=${generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ format: 'der', type: 'spki' })
  .toString('base64')}"`;

const domain = 'example.com';
const dmarc = `_dmarc.${domain} TXT "v=DMARC1; p=none; rua=mailto:dmarc@${domain}"`;
const ns = `${domain} NS ns1.example.net`;

type Recommended = {
  readonly mx: string;
  readonly spf?: string;
  /** Names below `_domainkey`, each an alias to a key or the key itself. */
  readonly dkim: Readonly<Record<string, 'TXT' | string>>;
  readonly more?: string;
};

const sets: Readonly<Record<string, Recommended>> = {
  privateemail: {
    mx: 'mx1.privateemail.com',
    spf: 'include:spf.privateemail.com ~all',
    dkim: { default: 'TXT' },
  },
  google_workspace: { mx: 'smtp.google.com', spf: 'include:_spf.google.com ~all', dkim: { google: 'TXT' } },
  microsoft365: {
    mx: 'example-com.mail.protection.outlook.com',
    spf: 'include:spf.protection.outlook.com -all',
    // Only one of the two is active at a time.
    dkim: { selector1: 'selector1-example-com._domainkey.example.a-v1.dkim.mail.microsoft' },
    more: 'selector2._domainkey.example.com CNAME selector2-example-com._domainkey.example.a-v1.dkim.mail.microsoft',
  },
  hostinger: {
    mx: 'mx1.hostinger.com',
    spf: 'include:_spf.mail.hostinger.com ~all',
    dkim: { 'hostingermail-a': 'hostingermail-a.dkim.mail.hostinger.com' },
  },
  zoho: { mx: 'mx.zoho.com', spf: 'include:zohomail.com ~all', dkim: { zmail: 'TXT' } },
  fastmail: {
    mx: 'in1-smtp.messagingengine.com',
    spf: 'include:spf.messagingengine.com ?all',
    dkim: {
      fm1: 'fm1.example.com.dkim.fmhosted.com',
      fm2: 'fm2.example.com.dkim.fmhosted.com',
      fm3: 'fm3.example.com.dkim.fmhosted.com',
    },
  },
  icloud: {
    mx: 'mx01.mail.icloud.com',
    spf: 'include:icloud.com ~all',
    dkim: { sig1: 'sig1.dkim.example.com.at.icloudmailadmin.com' },
  },
  proton: {
    mx: 'mail.protonmail.ch',
    spf: 'include:_spf.protonmail.ch ~all',
    dkim: { protonmail: 'protonmail.domainkey.abc.domains.proton.ch' },
  },
  ses: {
    mx: 'mail.example.net',
    dkim: { abcdefghijklmnop: 'abcdefghijklmnop.dkim.amazonses.com' },
  },
  sendgrid: {
    mx: 'mail.example.net',
    dkim: { s1: 's1.domainkey.u1.wl.sendgrid.net', s2: 's2.domainkey.u1.wl.sendgrid.net' },
  },
  mailgun: { mx: 'mxa.mailgun.org', spf: 'include:mailgun.org ~all', dkim: { mta: 'TXT' } },
  postmark: { mx: 'mail.example.net', dkim: { pm: 'TXT' } },
  brevo: {
    mx: 'mail.example.net',
    dkim: { brevo1: 'b1.example-com.dkim.brevo.com', brevo2: 'b2.example-com.dkim.brevo.com' },
  },
  resend: { mx: 'mail.example.net', dkim: { resend: 'TXT' } },
  // A personal account is for gmail.com; with a domain of one's own it is Workspace at the same host.
  gmail: { mx: 'smtp.google.com', spf: 'include:_spf.google.com ~all', dkim: { google: 'TXT' } },
};

/** Provider and its zone, as a customer publishes it who follows the page. */
export const recommendedZones: readonly (readonly [provider: string, zone: string])[] = Object.entries(
  sets,
).map(([provider, { mx, spf, dkim, more }]) => {
  const lines = [ns, `${domain} MX 10 ${mx}`, dmarc, ...(more ? [more] : [])];
  if (spf) {
    lines.push(`${domain} TXT "v=spf1 ${spf}"`);
    const [, included = ''] = /include:(\S+)/.exec(spf) ?? [];
    lines.push(`${included} TXT "v=spf1 ip4:192.0.2.0/24 ~all"`);
  }
  for (const [selector, how] of Object.entries(dkim)) {
    const name = `${selector}._domainkey.${domain}`;
    lines.push(how === 'TXT' ? `${name} TXT ${key}` : `${name} CNAME ${how}\n${how} TXT ${key}`);
  }
  return [provider, lines.join('\n')];
});

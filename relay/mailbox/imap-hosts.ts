// Where the mailbox of a provider is read, by its SMTP_HOST. From the providers' own pages on IMAP.

const hosts: readonly (readonly [RegExp, string])[] = [
  [/^(?:.*\.)?privateemail\.com$/, 'mail.privateemail.com'],
  [/^(?:.*\.)?(?:office365\.com|outlook\.com)$/, 'outlook.office365.com'],
  [/^(?:.*\.)?(?:gmail\.com|googlemail\.com)$/, 'imap.gmail.com'],
  [/^smtppro\.zoho\.(.+)$/, 'imappro.zoho.$1'],
  [/^smtp\.zoho\.(.+)$/, 'imap.zoho.$1'],
  [/^(?:.*\.)?hostinger\.com$/, 'imap.hostinger.com'],
  [/^(?:.*\.)?titan\.email$/, 'imap.titan.email'],
  [/^(?:.*\.)?fastmail\.com$/, 'imap.fastmail.com'],
  [/^(?:.*\.)?mail\.me\.com$/, 'imap.mail.me.com'],
  [/^smtp\.ionos\.(\w+)$/, 'imap.ionos.$1'],
  [/^(?:.*\.)?1und1\.de$/, 'imap.1und1.de'],
  [/^(?:.*\.)?mail\.ovh\.net$/, 'ssl0.ovh.net'],
  [/^smtp\.yandex\.(\w+)$/, 'imap.yandex.$1'],
];

/** Undefined for a provider without mailboxes, and for one that is not known. */
export function imapHostOf(smtpHost = ''): string | undefined {
  const host = smtpHost.toLowerCase();
  const known = hosts.find(([pattern]) => pattern.test(host));
  return known && host.replace(known[0], known[1]);
}

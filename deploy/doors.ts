// Names people copy into SMTP_HOST that are another door of the same provider: where mail is read (IMAP, POP, webmail),
// where mail from outside comes in (MX), an API, or a name that is no longer served.

const anybodys =
  /^(?:imaps?\d?|imap4|imap-mail|pops?\d?|pop3s?|pop-mail|webmail\d?|owa|autodiscover|autoconfig|www|mx\d*|aspmx|alt\d|api|app|inbound|inbound-smtp|caldav|carddav|ftp|cpanel|whm|login|account|accounts|admin)\./;

// Provider, in the catalogue's words, and the doors of its own.
const doors: readonly (readonly [provider: string, door: RegExp])[] = [
  ['privateemail', /^(?!(?:mail|smtp)\.)(?:.+\.)?privateemail\.com$/],
  [
    'gmail',
    /^(?:(?:mail|www|accounts|imap|pop|gmail-smtp-in\.l)\.)?(?:gmail|google|googlemail)\.com$|\.l\.google\.com$/,
  ],
  [
    'microsoft365',
    /^(?:outlook|mail|smtp\.mail)?\.?(?:outlook\.)?(?:office365|office)\.com$|^outlook\.cloud\.microsoft$|\.mail\.protection\.outlook\.com$|\.mail\.eo\.outlook\.com$|^pod\d+\.outlook\.com$/,
  ],
  [
    'outlook_personal',
    /^(?:outlook|mail|smtp|www)\.(?:live|hotmail)\.com$|^(?:imap-mail|pop-mail|eas|s|m)\.outlook\.com$|^(?:outlook|hotmail|live)\.com$/,
  ],
  ['hostinger', /^(?!smtp\.)(?:.+\.)?hostinger\.com$/],
  ['zoho', /^(?:www|mail|imap|pop|imappro|poppro|mx\d?)\.zoho\.(?:com|eu|in)$/],
  ['fastmail', /^(?!smtp\.)(?:.+\.)?fastmail\.(?:com|fm)$|^(?:in\d-)?smtp\.messagingengine\.com$/],
  [
    'icloud',
    /^(?:imap|pop|p\d+-\w+)\.mail\.me\.com$|^(?:www|mail|smtp|imap)\.icloud\.com$|^(?:me|mac|icloud)\.com$/,
  ],
  [
    'yahoo',
    /^(?:imap|pop|android\.imap|apple\.imap)\.mail\.yahoo\.com$|^(?:www|mail|smtp)?\.?yahoo\.com$|\.yahoodns\.net$/,
  ],
  ['ses', /^(?:inbound-smtp|email|imap\.mail|ses)\.[a-z0-9-]+\.(?:amazonaws|awsapps)\.com$/],
  ['sendgrid', /^(?:api|app|www)\.sendgrid\.(?:com|net)$|^sendgrid\.(?:com|net)$|^mx\.sendgrid\.net$/],
  ['mailgun', /^(?:api|app|www|mxa|mxb)(?:\.eu)?\.mailgun\.(?:net|org|com)$/],
  ['postmark', /^(?:api|account|inbound|www|smtp-inbound)\.postmarkapp\.com$|^inbound\.postmarkapp\.com$/],
  ['brevo', /^(?:api|app|www)\.brevo\.com$|\.sendinblue\.com$/],
  ['resend', /^(?:api|www)\.resend\.com$|^resend\.com$/],
  ['proton', /^(?:mail|account|www|api)\.proton(?:mail)?\.(?:me|com|ch)$/],
  ['godaddy', /^(?:imap|pop|email|smtp|mailstore1|webmail)\.secureserver\.net$|^email\.godaddy\.com$/],
];

/** Whether mail cannot be sent through this host, however well it answers. */
export function isWrongDoor(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  return anybodys.test(name) || doorOf(name) !== undefined;
}

/** The provider whose other door this is. */
export function doorOf(host: string): string | undefined {
  return doors.find(([, door]) => door.test(host))?.[0];
}

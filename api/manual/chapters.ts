// The chapters of the manual: Markdown files of the repository, which are the same to read there and at /docs.
export type Chapter = {
  /** The page is /docs/SLUG. */
  readonly slug: string;
  readonly title: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly about: string;
};

/** In the order of the contents page. */
export const chapters: readonly Chapter[] = [
  { slug: 'start', title: 'Postern', file: 'README.md', about: 'What it is, how to try it, the statuses.' },
  {
    slug: 'running',
    title: 'Running Postern',
    file: 'deploy/README.md',
    about: 'Docker Compose, backup, upgrade, alerts, other platforms, and every variable.',
  },
  {
    slug: 'runbook',
    title: 'Runbook',
    file: 'deploy/runbook.md',
    about: 'What to do when the primary, a replica, the disk, the provider or the region is lost.',
  },
  {
    slug: 'years',
    title: 'Years of mail',
    file: 'deploy/years.md',
    about: 'How large the database gets, what retention does, and what to set for millions of them.',
  },
  {
    slug: 'coolify',
    title: 'Postern on Coolify',
    file: 'deploy/coolify/README.md',
    about: 'Eight steps, and what to do about special characters in a password.',
  },
  {
    slug: 'postgresql',
    title: 'PostgreSQL from elsewhere',
    file: 'deploy/postgresql/README.md',
    about: 'TLS with a private authority, poolers, and what to type for managed databases.',
  },
  {
    slug: 'sender-domains',
    title: 'Your domain: SPF, DKIM, DMARC',
    file: 'deploy/sender-domains.md',
    about: 'Why mail that was sent may end in the junk folder, and which records to publish.',
  },
  {
    slug: 'microsoft-365',
    title: 'Microsoft 365 with OAuth2',
    file: 'deploy/microsoft-365/README.md',
    about: 'Sending from a mailbox without a password, in seven steps, and what each skipped step causes.',
  },
  {
    slug: 'google',
    title: 'Google Workspace and Gmail with OAuth2',
    file: 'deploy/google/README.md',
    about: 'An app password, a service account, or a permission in the browser.',
  },
  {
    slug: 'delivery-reports',
    title: 'Delivery reports',
    file: 'deploy/delivery-reports.md',
    about: 'How mail that comes back after it was sent is noticed: the mailbox is read over IMAP.',
  },
  {
    slug: 'suppressions',
    title: 'Suppression list',
    file: 'deploy/suppressions.md',
    about: 'Which addresses are not written to, what puts them onto the list, and how to change it.',
  },
  {
    slug: 'use-it-from',
    title: 'Use it from your application',
    file: 'deploy/use-it-from/README.md',
    about: 'SMTP from Node, Python, Ruby, PHP, Go, Java, curl, msmtp, Postfix and Exim.',
  },
  {
    slug: 'from-other-services',
    title: 'From SendGrid, Mailgun, Postmark or nodemailer',
    file: 'deploy/from-other-services.md',
    about: 'What changes in an application that leaves another service; the calls stay as they are.',
  },
  {
    slug: 'keys',
    title: 'Keys',
    file: 'deploy/keys.md',
    about: 'Who may send as whom and how much, keys as SMTP passwords, and what to do when one leaked.',
  },
  {
    slug: 'people',
    title: 'People',
    file: 'deploy/people.md',
    about: 'Users of the dashboard, their roles, sign-in by OpenID Connect, and the list of who did what.',
  },
  {
    slug: 'typed-clients',
    title: 'Typed clients',
    file: 'deploy/typed-clients.md',
    about: 'A client for TypeScript from the description of the API, with two generators.',
  },
  {
    slug: 'resend',
    title: 'From Resend: keep the client',
    file: 'deploy/resend/README.md',
    about: 'The unmodified resend client with two other variables: what works, and what is refused.',
  },
  {
    slug: 'webhooks',
    title: 'Webhooks',
    file: 'deploy/webhooks/README.md',
    about:
      'Events about mail for your application: how to receive and verify them, and when they come again.',
  },
  {
    slug: 'unsubscribe',
    title: 'One-click unsubscription',
    file: 'deploy/unsubscribe.md',
    about: 'Links by which a person leaves one kind of mail, and what they need.',
  },
  {
    slug: 'security',
    title: 'Security',
    file: 'SECURITY.md',
    about: 'What is protected, what is not, and how to report a weakness.',
  },
  {
    slug: 'changes',
    title: 'Changes',
    file: 'CHANGELOG.md',
    about: 'What each release adds, and how to upgrade.',
  },
];

// A small provider of real programs: Postfix takes mail with a login and sends reports, Dovecot keeps the one mailbox.
// Mail for `@example.org` is accepted, and comes back later: nobody has a mailbox there.
import { startPostfix, whyNoPostfix } from '../bench/postfix.ts';
import { type Dovecot, startDovecot, whyNoDovecot } from './dovecot.ts';

export type MailHost = AsyncDisposable & {
  readonly dovecot: Dovecot;
  readonly smtpPort: number;
  /** What a relay sends by, and reads its reports from. */
  readonly environment: Readonly<Record<string, string>>;
};

export const whyNoMailHost = async (): Promise<string | undefined> =>
  (await whyNoDovecot()) ?? (await whyNoPostfix());

/** @param settings further lines of Postfix' main.cf */
export async function startMailHost({
  settings = [],
}: {
  settings?: readonly string[];
} = {}): Promise<MailHost> {
  await using resources = new AsyncDisposableStack();
  const dovecot = resources.use(await startDovecot());
  const { user, password, owner, maildir, caFile } = dovecot;
  const { port } = resources.use(
    await startPostfix({
      keeps: true,
      settings: [
        'myhostname = mail.example.com',
        'mynetworks =',
        `smtpd_tls_cert_file = ${dovecot.certFile}`,
        `smtpd_tls_key_file = ${dovecot.keyFile}`,
        'smtpd_tls_wrappermode = yes',
        'smtpd_sasl_auth_enable = yes',
        'smtpd_sasl_type = dovecot',
        `smtpd_sasl_path = ${dovecot.authSocket}`,
        'smtpd_relay_restrictions = permit_sasl_authenticated, reject',
        'virtual_mailbox_domains = example.com, example.org',
        'virtual_mailbox_base = /',
        `virtual_mailbox_maps = inline:{ {${user} = ${maildir}/} }`,
        `virtual_uid_maps = static:${owner.uid}`,
        `virtual_gid_maps = static:${owner.gid}`,
        'smtpd_reject_unlisted_recipient = no',
        'smtpd_reject_unlisted_sender = no',
        // What it could not deliver at once it tries again within seconds, not minutes.
        'queue_run_delay = 5s',
        'minimal_backoff_time = 5s',
        'maximal_backoff_time = 5s',
        ...settings,
      ],
    }),
  );
  const kept = resources.move();
  return {
    dovecot,
    smtpPort: port,
    environment: {
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: String(port),
      SMTP_TLS_MODE: 'implicit',
      SMTP_FAILOVER: 'off',
      SMTP_USER: user,
      SMTP_PASSWORD: password,
      SMTP_FROM_EMAIL: user,
      SMTP_CA_FILE: caFile,
      BOUNCE_IMAP_HOST: '127.0.0.1',
      BOUNCE_IMAP_PORT: String(dovecot.port),
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

// Every cause Postern can name, told to a person: what it is, what it means, what to do. `providers` and `platforms`
// hold what to do there instead; only what a source says (see providers.ts and platforms.ts).
import type { FindingCause } from '../../deploy/findings.ts';
import { ownCauses } from '../client/status/own-causes.ts';
import { providers } from './providers.ts';

export type Entry = {
  readonly title: string;
  readonly meaning: string;
  readonly fix: string;
  readonly providers?: Readonly<Record<string, string>>;
  readonly platforms?: Readonly<Record<string, string>>;
};

const restart = 'then redeploy or restart the relay: a running process keeps its old environment.';

const sendingHosts: Readonly<Record<string, string>> = Object.fromEntries(
  providers
    .filter(({ hosts }) => hosts.length > 0)
    .map(({ id, hosts }) => [id, `Set SMTP_HOST to ${hosts.join(' or ')}, ${restart}`]),
);

export const catalogue = {
  ...ownCauses,
  'env-missing': {
    title: 'A mail setting is missing',
    meaning:
      'The process that sends does not have all of SMTP_HOST, SMTP_USER, SMTP_PASSWORD (or the SMTP_OAUTH2_ variables) and SMTP_FROM_EMAIL. A .env file on a laptop is not deployed, and a missing host silently becomes localhost in many mail libraries.',
    fix: `Set the missing variables in your deployment platform's environment, not only in .env, ${restart}`,
  },
  'env-blank': {
    title: 'A mail setting is empty',
    meaning:
      'The variable is set to an empty value. Platforms create empty variables from $NAME in a compose file; an empty host becomes localhost, an empty user means no sign-in.',
    fix: `Fill in SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL in the platform's environment, ${restart}`,
    platforms: {
      coolify:
        '$NAME in the compose file made an empty variable: type the value in the environment tab of the resource and redeploy.',
    },
  },
  'env-quoted': {
    title: 'Quotation marks are part of a value',
    meaning:
      'Platforms and `docker --env-file` keep quotes that a .env file needs; they then belong to the host, the port or the password.',
    fix: `Type the value without surrounding quotes. If the password itself contains a quote, escape it in .env or choose another, ${restart}`,
  },
  'env-trailing-char': {
    title: 'A value ends with a stray character',
    meaning:
      'A comma or semicolon copied from source code became part of the value, so the name or the port does not exist.',
    fix: `Remove the trailing , or ; from the variable (SMTP_HOST, SMTP_PORT …), ${restart}`,
  },
  'env-newline': {
    title: 'A value contains a line break or surrounding space',
    meaning:
      'The secret was created with a trailing newline, often by `echo value | base64`. The provider compares it byte for byte and refuses it.',
    fix: `Create the secret again with \`printf %s\` and retype SMTP_USER and SMTP_PASSWORD without spaces around them, ${restart}`,
    platforms: {
      kubernetes:
        'Create the secret from `printf %s "$PASSWORD" | base64` (echo appends a newline) and restart the pods.',
    },
  },
  'env-interpolated': {
    title: 'A $ in a value was replaced',
    meaning:
      'Compose, shells and some platforms read $name inside a value as a variable and put nothing in its place, so the password arrives shortened.',
    fix: `Write $ as $$ in compose files, use single quotes in .env, or mark the variable as literal in the platform; a password without $ avoids it. Set SMTP_PASSWORD again, ${restart}`,
    platforms: {
      coolify: 'Tick "Is Literal?" for SMTP_PASSWORD, or use SMTP_PASSWORD_BASE64, and redeploy.',
    },
  },
  'env-comment-truncation': {
    title: 'A # cut the value off',
    meaning:
      'An unquoted # starts a comment in .env files: everything after it is missing from the password.',
    fix: `Put the value of SMTP_PASSWORD in single quotes in .env, or enter it in the platform's own form, ${restart}`,
  },
  'env-escaped': {
    title: 'A value still contains escape characters',
    meaning:
      'A backslash or percent escape meant for another file format reached the process as it was typed.',
    fix: `Type the value exactly as the provider shows it, or use the variable's _BASE64 form, ${restart}`,
  },
  'env-invisible': {
    title: 'A value contains invisible characters',
    meaning:
      'A web page or an editor put no-break spaces, zero-width characters or typographic quotes into the value. The provider compares it byte for byte and refuses it.',
    fix: `Type SMTP_PASSWORD and the other named variables by hand instead of copying them, ${restart}`,
  },
  'env-leftover': {
    title: 'A value contains part of the file it was copied from',
    meaning: 'The word export or NAME= in front of the value became part of it.',
    fix: `Type only the part after the equals sign, ${restart}`,
  },
  'env-url-encoding': {
    title: 'The mail URL was cut in the wrong place',
    meaning:
      'A special character in the user name or password of smtp://user:password@host was not percent-encoded, so a part of the credentials is taken for the host.',
    fix: `Set SMTP_HOST, SMTP_PORT, SMTP_USER and SMTP_PASSWORD separately, or percent-encode user and password, ${restart}`,
  },
  'env-port-garbage': {
    title: 'The port is not a number',
    meaning: 'Something besides digits is in SMTP_PORT. Mail libraries then silently use 587 or 465.',
    fix: `Set SMTP_PORT to digits only: 465 for implicit TLS, 587 for STARTTLS, ${restart}`,
  },
  'env-scheme-in-host': {
    title: 'SMTP_HOST holds an address with a scheme or a path',
    meaning:
      'A host name is expected; smtp://, ssl://, https:// or a path makes it a name that does not exist.',
    fix: `Set SMTP_HOST to the bare name, for example mail.example.com, and the port in SMTP_PORT, ${restart}`,
  },
  'env-host-garbage': {
    title: 'SMTP_HOST is not a host name',
    meaning: 'The value cannot be a name in DNS, so no address can be found for it.',
    fix: `Set SMTP_HOST to the SMTP server's name from your provider's page, ${restart}`,
  },
  'env-value-garbage': {
    title: 'A setting has a value that cannot be used',
    meaning:
      'The value is not one of those the setting knows, or has the wrong type, for example the text "false" where a switch is meant.',
    fix: `Correct the named variable; the list of settings shows the allowed values, ${restart}`,
  },
  'env-placeholder': {
    title: 'A setting still has its example value',
    meaning: 'Text such as your-password or example.com was copied from a template and never replaced.',
    fix: `Replace SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL with your own values, ${restart}`,
  },
  'env-alias-conflict': {
    title: 'Two names of one setting disagree',
    meaning:
      'A setting and its alias (SMTP_PASSWORD and SMTP_PASS, SMTP_FROM_EMAIL and SMTP_FROM) have different values.',
    fix: `Keep one of the two, ${restart}`,
  },
  'env-two-sources': {
    title: 'A secret is given twice',
    meaning: 'More than one of NAME, NAME_FILE and NAME_BASE64 is set, and only one can be right.',
    fix: `Keep exactly one of them, ${restart}`,
  },
  'env-file-unreadable': {
    title: 'A secret file cannot be read',
    meaning: 'The path in a _FILE variable does not exist in this container or may not be read by this user.',
    fix: `Mount the file into the container at that path and make it readable, ${restart}`,
  },
  'env-base64-garbage': {
    title: 'A _BASE64 value is not base64',
    meaning: 'The variable cannot be decoded, so the secret is unknown.',
    fix: `Encode it again with \`printf %s "$SECRET" | base64 -w0\`, ${restart}`,
  },
  'env-localhost': {
    title: 'SMTP_HOST points to the container itself',
    meaning: 'localhost inside a container is that container, where no mail server runs.',
    fix: `Set SMTP_HOST to the provider's name, or to the service name or host.docker.internal for a server beside it, ${restart}`,
  },
  'env-loop': {
    title: 'SMTP_HOST is the relay itself',
    meaning: 'Mail would be sent to this relay again and again.',
    fix: `Set SMTP_HOST to your mail provider; RELAY_HOST is the name of the relay, ${restart}`,
  },
  'wrong-service-host': {
    title: 'SMTP_HOST is not the sending server',
    meaning:
      'The name is another server of the provider: for reading mail (IMAP, POP), a web page, an API, incoming mail, or a name that is no longer in use.',
    fix: `Set SMTP_HOST to the provider's SMTP server (outgoing server), ${restart}`,
    providers: sendingHosts,
  },
  'local-name': {
    title: 'SMTP_HOST is a name without a dot',
    meaning:
      'Such a name is known only inside one network, for example to the services of one Compose file. From here it cannot be resolved.',
    fix: `Set SMTP_HOST to the full name of the SMTP server, for example smtp.example.com; for a server beside this one, put both into the same network, ${restart}`,
  },
  'env-tls-contradiction': {
    title: 'TLS setting and port contradict each other',
    meaning:
      '465 uses implicit TLS, 587 starts unencrypted and upgrades with STARTTLS. The settings ask for the other one.',
    fix: `Leave SMTP_TLS_MODE=auto and remove SMTP_SECURE and SMTP_USE_TLS; or SMTP_SECURE=true with 465 and false with 587, ${restart}`,
  },
  'env-failover-contradiction': {
    title: 'The failover route contradicts itself',
    meaning: 'SMTP_FAILOVER_PORT and SMTP_FAILOVER_TLS_MODE do not fit each other or the main route.',
    fix: `Remove both and let SMTP_FAILOVER=auto choose, or give the provider's second port with its own TLS mode, ${restart}`,
  },
  'env-oauth2-contradiction': {
    title: 'The settings for OAuth2 contradict each other',
    meaning:
      'SMTP_AUTH says whether a password or an access token is used. The named variable belongs to the other one, or to another kind of OAuth2 grant.',
    fix: `Use one way: a client secret or a certificate, a refresh token or a service account. Correct the named variable, ${restart}`,
  },
  'env-guessable-secret': {
    title: 'A secret can be guessed',
    meaning: 'It is short or common, and anybody who reaches this host can try it.',
    fix: `Set the named variable to a long random value, such as that of: openssl rand -hex 32, ${restart}`,
  },
  'env-open-network': {
    title: 'RELAY_TRUSTED_NETWORKS lets strangers send',
    meaning: 'The network is so large that strangers are in it. They can send mail without a password.',
    fix: `Name only the networks of your own applications in RELAY_TRUSTED_NETWORKS, ${restart}`,
  },
  'env-tls-unchecked': {
    title: 'NODE_TLS_REJECT_UNAUTHORIZED is set to 0',
    meaning: 'It tells Node not to check certificates. Postern ignores it and checks them.',
    fix: `Remove it; put a private certificate authority into SMTP_CA_FILE, that of PostgreSQL into DATABASE_CA_FILE, ${restart}`,
  },
  'env-database-pooler': {
    title: 'The database is behind a pooler that gives its sessions to others',
    meaning:
      'In transaction mode each transaction gets another session of PostgreSQL. Settings, prepared statements, notifications and locks belong to a session, so they get lost or act elsewhere.',
    fix: `Set DATABASE_DIRECT_URL to the address of PostgreSQL itself, or of a pooler in session mode, ${restart}`,
  },
  'env-database-tls': {
    title: 'There is no checked TLS to the database',
    meaning:
      'The certificate of PostgreSQL is of an authority that is not trusted here, for another name or out of date, or the server has no TLS.',
    fix: `Set DATABASE_CA_FILE to a PEM file with the authority of the database, ${restart}`,
  },
  'env-cleartext-password': {
    title: 'A password would travel unencrypted',
    meaning:
      'SMTP_TLS_MODE=none together with a password is refused, because anybody on the network could read it.',
    fix: `Use SMTP_TLS_MODE=auto, or remove SMTP_USER and SMTP_PASSWORD for a relay that needs none, ${restart}`,
  },
  'env-from-mismatch': {
    title: 'The From address belongs to another domain than the sign-in',
    meaning: 'Mailbox providers refuse a From address that the signed-in mailbox does not own.',
    fix: `Set SMTP_FROM_EMAIL to SMTP_USER's address or to one of its aliases, ${restart}`,
  },
  'env-wrong-process': {
    title: 'The settings reached one process but not the one that sends',
    meaning:
      'Web process and worker have different environments; the one that sends falls back on localhost or has no credentials.',
    fix: `Set the SMTP_ variables on the relay service; it is the only one that sends, ${restart}`,
  },
  'capture-mode': {
    title: 'DELIVERY_MODE keeps mail here',
    meaning: 'DELIVERY_MODE is capture: the relay accepts mail and shows it, but sends nothing.',
    fix: `To send mail, set DELIVERY_MODE=deliver or remove it, ${restart}`,
  },
  'service-preset-override': {
    title: 'A service preset overrides host, port or TLS',
    meaning:
      'With a `service` name the mail library uses its own table, and the given TLS switch then meets the wrong port.',
    fix: 'Do not mix a service preset with host, port or secure: set SMTP_HOST and SMTP_PORT, and leave SMTP_TLS_MODE=auto.',
  },
  'process-crash': {
    title: 'A broken connection ended the sending process',
    meaning: 'An older mail library raised an error outside any handler when the connection broke.',
    fix: 'Upgrade nodemailer to 6.10 or newer, or hand mail to the relay, which survives it.',
  },
  'app-timeout': {
    title: 'The request waits for the mail server and gives up first',
    meaning:
      'Mail libraries wait up to two minutes for a connection; web requests and serverless functions end earlier, so the person sees a hang.',
    fix: 'Do not send inside the request: hand the mail to the relay or POST /api/v1/emails. Then look for the port that does not answer (npm run doctor).',
  },
  'pool-idle': {
    title: 'A pooled connection was closed while idle',
    meaning: 'Server or firewall closed a connection that the pool still considered open.',
    fix: 'The relay tries again by itself. Elsewhere close idle connections after a minute and upgrade the mail library.',
  },
  'pool-retries': {
    title: 'The pool gave up after the connection closed again and again',
    meaning: 'The mail library re-sent on its own until its limit; the cause is why the connection closes.',
    fix: 'The relay tries again by itself. In other programs set maxRequeues to 0 or 1 and keep one place that retries.',
  },
  'verify-false-confidence': {
    title: 'The connection test passed, the mail is refused',
    meaning:
      'A connection test ends after sign-in; From, recipients and content are judged only when a mail is sent.',
    fix: 'Send a test mail (POST /api/v1/test-email) and read its reply; usually SMTP_FROM_EMAIL is not allowed for SMTP_USER.',
  },
  'no-recipient': {
    title: 'The mail has no recipient',
    meaning: 'The list of recipients was empty, usually because a value is missing in the data.',
    fix: 'Give at least one address in `to`, and check addresses before a mail is queued.',
  },
  'raw-tcp-proxy': {
    title: 'A web proxy sits where raw TCP is needed',
    meaning: 'A shared address routes by the name in TLS or HTTP; SMTP without it reaches nobody.',
    fix: 'Allocate a dedicated IPv4 address for the SMTP listener, or reach the server by its internal name.',
  },
  'contact-form-spoof': {
    title: "The visitor's address was used as From",
    meaning:
      "The visitor's domain forbids your server to send in its name (DMARC), so the mail bounces later.",
    fix: 'Send From your own address (SMTP_FROM_EMAIL) and put the visitor into reply_to.',
  },
  'dns-not-found': {
    title: 'The SMTP host name does not exist',
    meaning:
      'DNS answered that the name does not exist. The usual reason is a typing error, or an invisible character in SMTP_HOST.',
    fix: `Compare SMTP_HOST letter by letter with the provider's page; no scheme, quotes, comma or port in it, ${restart}`,
  },
  'dns-temporary': {
    title: 'The name server does not answer',
    meaning:
      'The resolver of this machine failed or timed out; the name itself may be right. Mail waits and is tried again.',
    fix: "No action is needed if it passes. If it stays: check the container's DNS (/etc/resolv.conf, UDP and TCP 53 out), then whether SMTP_HOST resolves from the host.",
  },
  'dns-no-usable-address': {
    title: 'The name has no address this machine can use',
    meaning:
      'Addresses exist, but the mail library found no network interface of their family; an old version misreads the interfaces.',
    fix: 'Upgrade nodemailer to 6.9 or newer, and give the container an IPv4 network.',
  },
  'ipv6-literal': {
    title: 'An IPv6 address in brackets is used as host',
    meaning: 'Brackets belong to URLs. With them the address is looked up as a name.',
    fix: `Set SMTP_HOST to the provider's name, or to the address without brackets (the certificate must then carry it), ${restart}`,
  },
  'tcp-refused': {
    title: 'The server refuses the connection',
    meaning:
      'Something answered at once that nothing listens on that port: wrong host or port, a stopped service, or a firewall that rejects. A private address for a public provider means that DNS is redirected.',
    fix: 'Check SMTP_HOST and SMTP_PORT (465 or 587) and what the name resolves to in production: getent hosts NAME. Then check the egress firewall.',
  },
  'cloud-port-block': {
    title: 'Nobody answers: the port is probably blocked',
    meaning:
      'The connection attempt is dropped silently. Many hosting platforms drop outgoing SMTP on 25, 465 and 587; switching between them does not help where all are blocked.',
    fix: 'Run npm run doctor: it compares with another host and port 443. Try the other of 465 and 587 in SMTP_PORT; if all are blocked, use a provider that listens on 2525, 2465 or 2587, ask the platform to open SMTP, or upgrade its plan.',
    providers: {
      privateemail:
        'Private Email listens on 465 and 587 only. Set SMTP_PORT to the one that is open; if the platform blocks both, no port change can help: ask the platform to open SMTP or use a provider with 2525.',
      sendgrid: 'Set SMTP_PORT=2525, where SendGrid listens as well.',
      resend: 'Set SMTP_PORT=587, 2465 or 2587; Resend listens on all of them.',
      ses: 'Set SMTP_PORT=587, 2465 or 2587; SES listens on all of them.',
      brevo: 'Set SMTP_PORT=2525 or 587; Brevo listens on both.',
      postmark: 'Set SMTP_PORT=2525, where Postmark listens as well.',
      mailgun: 'Set SMTP_PORT=2525, where Mailgun listens as well.',
    },
  },
  'provider-unreachable': {
    title: "The provider's server does not answer, others do",
    meaning:
      'Outgoing SMTP works from here, but every connection to this host is dropped: a wrong host, a server that is down, or a provider that blocks the address of this machine.',
    fix: `Compare SMTP_HOST and SMTP_PORT with the provider's page. If they are right, ask the provider whether it is down or blocks your IP address or country, ${restart}`,
  },
  ipv6: {
    title: 'IPv6 was tried without an IPv6 route',
    meaning:
      'The name has an IPv6 address, but this machine or container has no route for it. The IPv4 address may work.',
    fix: 'The relay tries the other address, and with SMTP_FAILOVER=auto the other port. Give the host IPv6 egress, or disable IPv6 in the container so that IPv4 is chosen.',
  },
  network: {
    title: 'This machine has no network route',
    meaning: 'Neither IPv4 nor IPv6 works: a firewall, a missing route, or a container without a network.',
    fix: 'Open outgoing traffic to the SMTP ports in the firewall or security group, and check the container network. npm run doctor shows which addresses answer.',
  },
  'wrong-host': {
    title: 'Mail goes to this machine instead of the provider',
    meaning:
      'The connection went to localhost, where nothing listens: SMTP_HOST is missing, or names the container itself.',
    fix: `Set SMTP_HOST to the provider's name; for a server in another container use its service name and publish its port, ${restart}`,
  },
  'wrong-host-port': {
    title: 'The host or port is not one for sending mail',
    meaning: 'The connection opens, but the server there does not speak SMTP submission.',
    fix: `Set SMTP_HOST to the provider's outgoing (SMTP) server and SMTP_PORT to 465 or 587, ${restart}`,
  },
  'port-tls-mismatch': {
    title: 'Implicit TLS was used on a port for STARTTLS',
    meaning:
      'The server greeted in plain text where TLS was expected, or the reverse: 465 wants TLS at once, 587 wants STARTTLS.',
    fix: `Set SMTP_PORT=465 with implicit TLS, or SMTP_PORT=587 with SMTP_SECURE=false, or remove SMTP_SECURE and leave SMTP_TLS_MODE=auto, ${restart}`,
  },
  'tls-closed': {
    title: 'The connection was closed, or went silent, while TLS was starting',
    meaning:
      'The other side closed the connection during the TLS handshake, or stopped answering in it: a firewall that inspects TLS, a plain port, or an overloaded server. Nothing was sent.',
    fix: 'With SMTP_FAILOVER=auto the relay tries the other port. If that does not work either, compare from another network and ask the provider whether your IP address is blocked.',
  },
  'tls-expired': {
    title: "The server's certificate is not valid at this time",
    meaning:
      'It has expired or is not yet valid. If it is fine elsewhere, the clock of this machine is wrong.',
    fix: 'Check the clock (date -u). If it is right, the server must renew its certificate; do not switch verification off.',
  },
  'tls-hostname-mismatch': {
    title: 'The certificate is for another name',
    meaning:
      'The certificate of the server has another name than SMTP_HOST: an alias of a shared host, an IP address as host, or a redirected connection.',
    fix: `Set SMTP_HOST to a name in the certificate (often the hosting company's server name), ${restart} Do not switch verification off: the password would go to a stranger.`,
  },
  'tls-intercepted': {
    title: 'Another party answers with its own certificate',
    meaning:
      'A virus scanner, a company proxy or a self-signed chain is used instead of the public certificate.',
    fix: 'Turn off mail scanning in that product, or give its root certificate in SMTP_CA_FILE if you trust it with your mail.',
  },
  'tls-untrusted': {
    title: "The server's certificate is not trusted",
    meaning: 'It is self-signed or issued by an authority this machine does not know.',
    fix: 'For your own server put its CA into SMTP_CA_FILE. For a public provider somebody intercepts, or the image lacks CA certificates (install ca-certificates).',
  },
  'tls-missing-intermediate': {
    title: 'The server sends an incomplete certificate chain',
    meaning: 'The intermediate certificate is missing. Browsers often repair that, mail programs do not.',
    fix: 'The server must send its full chain. Until then put the intermediate certificate into SMTP_CA_FILE.',
  },
  'tls-weak-dh': {
    title: "The server's key exchange is too weak",
    meaning: 'Its Diffie-Hellman parameters, key or signature are below what OpenSSL accepts today.',
    fix: 'The server needs 2048-bit parameters or ECDHE. Use another server of the provider; lowering the security level should be the last resort.',
  },
  'tls-protocol': {
    title: 'No common TLS version or cipher',
    meaning: 'The server offers only protocols or ciphers that are no longer accepted, or refuses ours.',
    fix: 'The server must offer TLS 1.2 or newer. Check that SMTP_HOST is the current server of the provider, and update an old base image.',
  },
  'tls-failed': {
    title: 'TLS could not be started',
    meaning: 'The handshake failed for a reason that is not about certificates we can name.',
    fix: 'Run npm run doctor: it shows certificate, protocol and issuer. Compare 465 with 587 in SMTP_PORT.',
  },
  'greeting-timeout': {
    title: 'The connection opens, but no greeting comes',
    meaning:
      'The connection is accepted, but no greeting is sent: a TLS port used without TLS, a transparent proxy, or a very slow server.',
    fix: 'Check that SMTP_PORT fits SMTP_TLS_MODE (465 implicit, 587 STARTTLS). If it does, a firewall blocks SMTP: compare from another network.',
  },
  'greeting-closed': {
    title: 'The server closes the connection without a greeting',
    meaning:
      'The connection is closed before the greeting: a block of your IP address, overload, or a port that wants TLS at once.',
    fix: 'With SMTP_FAILOVER=auto the relay tries the other port. If both close, ask the provider whether your IP address is blocked.',
  },
  'greeting-refused': {
    title: 'The server refuses this client before the greeting',
    meaning: 'It answered the connection with a refusal: no mail service there, or not for this IP address.',
    fix: "Check that SMTP_HOST is the provider's submission server and not an MX host; then ask the provider about your IP address.",
  },
  'av-proxy': {
    title: 'A virus scanner answers instead of the mail server',
    meaning:
      'A mail shield on this machine accepted the connection and could not reach the real server itself, so the port behind it is blocked or the server is away.',
    fix: 'Turn off mail scanning in the security product, then look at the port behind it: try the other of 465 and 587 in SMTP_PORT.',
  },
  'http-on-smtp': {
    title: 'A web server answers on that address',
    meaning:
      'SMTP_HOST or SMTP_PORT leads to HTTP: a web domain, a reverse proxy, or a name behind a web proxy such as Cloudflare.',
    fix: `Set SMTP_HOST to the provider's SMTP server; a proxied DNS record cannot carry mail, ${restart}`,
  },
  'wrong-service': {
    title: 'Another service answers on that port',
    meaning: 'It greets as IMAP, POP3, SSH or something else that does not send mail.',
    fix: `Set SMTP_HOST to the outgoing server and SMTP_PORT to 465 or 587 (993, 995 and 143 are for reading mail), ${restart}`,
  },
  'ipv6-reputation': {
    title: 'The IPv6 address of this machine is refused, IPv4 is not',
    meaning: 'The address has no reverse DNS or no reputation; the same server accepts IPv4.',
    fix: 'Let the relay use IPv4 (disable IPv6 egress), or give the IPv6 address a PTR record and add it to SPF.',
  },
  'server-421': {
    title: 'The server is busy or closing',
    meaning: 'It says so itself and asks to come back. Mail waits and is tried again.',
    fix: 'No action is needed if it passes. If it stays, lower SMTP_MAX_CONNECTIONS and ask the provider about limits for your IP address.',
  },
  'starttls-unavailable': {
    title: 'The server offers STARTTLS but cannot do it',
    meaning:
      'Its certificate or key is broken. It answers with a temporary code, but it stays broken until somebody repairs it.',
    fix: 'Repair the certificate of that server (its log says what is wrong), or use 465 in SMTP_PORT. Never send the password in the clear.',
  },
  'starttls-stripped': {
    title: 'STARTTLS was removed by a device on the network',
    meaning:
      'The server does not offer or understand STARTTLS here. On a provider that has it, a firewall rewrites the conversation, and the password would be readable.',
    fix: 'Use SMTP_PORT=465 with implicit TLS, which nobody can rewrite, or turn off ESMTP inspection in the firewall.',
  },
  'starttls-required': {
    title: 'The server insists on encryption first',
    meaning: 'Mail or password was offered before TLS was started.',
    fix: `Use SMTP_PORT=587 with STARTTLS or 465 with implicit TLS; SMTP_TLS_MODE=auto does the right thing, ${restart}`,
  },
  'auth-app-password': {
    title: 'An app password is required',
    meaning: 'The account has two-factor sign-in, so the normal password is refused for programs.',
    fix: `Create an app password in the account's security settings and put it into SMTP_PASSWORD, ${restart}`,
    providers: {
      gmail:
        'Turn on 2-Step Verification, create an App Password (16 letters) at myaccount.google.com/apppasswords and put it into SMTP_PASSWORD without spaces.',
      icloud: 'Create an app-specific password at account.apple.com and put it into SMTP_PASSWORD.',
      fastmail:
        'Fastmail always needs an app password: Settings, Privacy & Security, then put it into SMTP_PASSWORD.',
    },
  },
  'auth-basic-disabled': {
    title: 'Sign-in with a password is switched off',
    meaning:
      'The provider or your administrator has disabled password sign-in for SMTP; app passwords do not help.',
    fix: 'Use OAuth2 where the provider has it (SMTP_AUTH=oauth2 and the SMTP_OAUTH2_PROVIDER block), let the administrator enable authenticated SMTP, or use a provider that takes a password or key (SMTP_HOST, SMTP_USER, SMTP_PASSWORD).',
    providers: {
      outlook_personal:
        'Outlook.com accepts OAuth2 only: set SMTP_AUTH=oauth2, SMTP_OAUTH2_PROVIDER=microsoft, SMTP_OAUTH2_TENANT=consumers, SMTP_OAUTH2_CLIENT_ID and SMTP_OAUTH2_REFRESH_TOKEN (npm run doctor -- authorize prints it).',
      microsoft365:
        "Set SMTP_AUTH=oauth2, SMTP_OAUTH2_PROVIDER=microsoft, SMTP_OAUTH2_TENANT, SMTP_OAUTH2_CLIENT_ID and SMTP_OAUTH2_CLIENT_SECRET (the manual's page on Microsoft 365 says how). SMTP must be on for the mailbox with OAuth2 as well: Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false.",
    },
  },
  'auth-conditional-access': {
    title: 'A sign-in policy blocks this login',
    meaning: 'Security defaults, conditional access or multi-factor rules refuse a password from this place.',
    fix: 'Sign in with OAuth2 instead of a password (SMTP_AUTH=oauth2 and the SMTP_OAUTH2_PROVIDER block). Or let the administrator look at the sign-in log, then exclude this account from the policy or allow the address of the server.',
  },
  'auth-mailbox-unusable': {
    title: 'The account has no usable mailbox',
    meaning: 'The sign-in is known, but there is no mailbox or licence behind it.',
    fix: 'Assign a licence or mailbox to SMTP_USER, or use an account that has one.',
  },
  'auth-mechanism': {
    title: 'Client and server have no common sign-in method',
    meaning:
      'The server does not accept the offered mechanism. Often it is the wrong server or port: an inbound gateway on 25.',
    fix: `Use the provider's submission host with SMTP_PORT=465 or 587; the password is not the problem, ${restart}`,
  },
  'auth-not-advertised': {
    title: 'The server does not offer sign-in here',
    meaning:
      'AUTH is not available on this connection: wrong port, TLS not started, or a relay that knows clients by address.',
    fix: 'Use SMTP_PORT=465 or 587 with TLS. For an internal relay that needs no sign-in, remove SMTP_USER and SMTP_PASSWORD and set SMTP_TLS_MODE=none or starttls.',
  },
  'auth-not-needed': {
    title: 'The relay knows this server by address and refuses the login',
    meaning: 'A company relay that accepts by IP address does not know these credentials.',
    fix: 'Ask its administrator. If it accepts by address, remove SMTP_USER and SMTP_PASSWORD and set SMTP_TLS_MODE=none; else get an account for it.',
  },
  'auth-works-locally': {
    title: 'The login works elsewhere but not from here',
    meaning:
      'The deployed secret differs from the one that works, or the provider refuses sign-ins from this place.',
    fix: 'Compare length and fingerprint of SMTP_PASSWORD (npm run doctor prints both). If they agree, look for a country or IP restriction in the sign-in log.',
  },
  'auth-wrong-credential-type': {
    title: 'The wrong kind of credential',
    meaning:
      'This provider has its own SMTP credentials; account password, API key or cloud access key are not the same.',
    fix: `Create SMTP credentials in the provider's dashboard and set SMTP_USER and SMTP_PASSWORD to them, ${restart}`,
    providers: {
      ses: 'Create SES SMTP credentials (not an IAM access key) in the region of SMTP_HOST and set SMTP_USER and SMTP_PASSWORD to them.',
      brevo:
        'SMTP_USER is the SMTP login shown in the dashboard, SMTP_PASSWORD the SMTP key: not the API key, not the account password.',
      sendgrid: 'SMTP_USER is the word apikey, SMTP_PASSWORD the API key itself, without a line break.',
      resend: 'SMTP_USER is the word resend, SMTP_PASSWORD the API key.',
      zoho: 'Use the host of your data centre (smtp.zoho.com, smtp.zoho.eu …) and an app password in SMTP_PASSWORD.',
    },
  },
  'auth-quota': {
    title: 'The plan with the provider is used up or unpaid',
    meaning: 'Credits, trial or subscription have ended. It may look temporary, but waiting does not help.',
    fix: "Renew or upgrade the plan in the provider's dashboard; the mail is kept and sent afterwards.",
  },
  'auth-ip-not-authorized': {
    title: 'The provider does not know this IP address',
    meaning: 'Sign-in is limited to authorised addresses, and this server is not among them.',
    fix: "Add the outgoing address of the server, IPv4 and IPv6, to the authorised IPs in the provider's security settings.",
    providers: {
      brevo:
        'Brevo, Settings, Security, Authorised IPs: add the IPv4 and IPv6 address of the server, or switch the check off.',
    },
  },
  'auth-geo-block': {
    title: 'Sign-in from this country is blocked',
    meaning: 'The mailbox accepts logins from some countries only, and the server is in another.',
    fix: "Allow the server's country or address in the mailbox security settings, or switch the restriction off.",
  },
  'auth-provider-fault': {
    title: "The provider's sign-in service has a fault",
    meaning: 'It could not check the password. The password may be right, so mail waits and is tried again.',
    fix: 'Try the same password in webmail. If that fails too after a reset, open a ticket with the provider.',
  },
  'auth-rate-limit': {
    title: 'Too many logins in a short time',
    meaning: 'The provider counts sign-ins. The password itself is not the problem.',
    fix: 'No action is needed: the relay pauses and reuses connections. Stop other programs that sign in for every mail, and lower SMTP_MAX_CONNECTIONS.',
  },
  'auth-account-blocked': {
    title: 'The provider has blocked this account',
    meaning: 'Sign-in or sending was suspended, usually because of abuse, complaints or payment.',
    fix: 'Stop other senders, read the mail the provider sent to the owner, and ask its support to unblock SMTP_USER.',
  },
  'auth-account-locked': {
    title: 'The account is locked',
    meaning: 'After too many failures or suspected misuse nobody can sign in for now.',
    fix: 'Unlock it in the dashboard or with support, change the password, and set SMTP_PASSWORD once to the new one.',
    providers: {
      privateemail:
        'Namecheap locks the subscription for sending limits, invalid recipients or misuse: follow the mail from its abuse team, stop all sending, change the password.',
    },
  },
  'auth-bad-credentials': {
    title: 'User name or password is wrong',
    meaning:
      'The server checked the credentials and refused them. The relay stops trying, because repeated failures lock accounts.',
    fix: `Set SMTP_USER (usually the full address) and SMTP_PASSWORD again, exactly as they work in the provider's webmail or dashboard, ${restart} npm run doctor prints length and fingerprint to compare.`,
    providers: {
      privateemail:
        'SMTP_USER is the full mailbox address, SMTP_PASSWORD the password of that mailbox, not of the Namecheap account.',
      gmail: 'SMTP_PASSWORD must be an App Password (needs 2-Step Verification), SMTP_USER the full address.',
      microsoft365:
        'Check in the admin centre that SMTP AUTH is enabled for this mailbox; then set SMTP_USER to the full address and SMTP_PASSWORD again.',
      hostinger:
        'SMTP_USER is the full address, SMTP_PASSWORD the mailbox password. If webmail refuses it too after a reset, open a ticket.',
      zoho: 'Use an app password when two-factor sign-in is on, and the host of your data centre (smtp.zoho.com or smtp.zoho.eu); check that the account has credits.',
      icloud: 'SMTP_PASSWORD must be an app-specific password.',
      fastmail: 'SMTP_PASSWORD must be an app password.',
    },
  },
  'auth-missing': {
    title: 'The mail was offered without signing in',
    meaning:
      'No sign-in took place on this connection: user or password did not reach the process, or the server did not offer AUTH.',
    fix: `Set both SMTP_USER and SMTP_PASSWORD, and use a port with TLS (465 or 587) so that the server offers sign-in, ${restart}`,
  },
  'auth-web-login': {
    title: 'The provider asks for a sign-in in a browser',
    meaning:
      'The provider treats the login as unusual. Somebody has to sign in with a browser and confirm it.',
    fix: 'Sign in to the account in a browser, confirm the attempt, then use an app password in SMTP_PASSWORD.',
  },
  'auth-refused': {
    title: 'The server refuses the sign-in',
    meaning: 'Its reply does not say whether password, account or policy is the reason.',
    fix: "Read the reply, check SMTP_USER and SMTP_PASSWORD in the provider's webmail or dashboard, and look at the state of the account there.",
  },
  'oauth2-config': {
    title: 'The OAuth2 settings do not work',
    meaning:
      'The endpoint that gives access tokens refuses the request: something is missing in the settings, or two of them do not belong together.',
    fix: `Compare SMTP_OAUTH2_PROVIDER, SMTP_OAUTH2_TENANT, SMTP_OAUTH2_CLIENT_ID and SMTP_OAUTH2_CLIENT_SECRET with the registration of the application; npm run doctor -- authorize prints a working set, ${restart}`,
    providers: {
      gmail: `Set SMTP_AUTH=oauth2, SMTP_OAUTH2_PROVIDER=google and either SMTP_OAUTH2_SERVICE_ACCOUNT, or SMTP_OAUTH2_CLIENT_ID, SMTP_OAUTH2_CLIENT_SECRET and SMTP_OAUTH2_REFRESH_TOKEN (npm run doctor -- authorize prints it), ${restart} An app password in SMTP_PASSWORD works as well.`,
    },
  },
  'oauth2-token-unreachable': {
    title: 'The token endpoint does not answer',
    meaning:
      'With OAuth2 an access token is needed before a mail can be sent. The endpoint that gives it cannot be reached, has a fault, or asks to come back later. Mail is kept, and none is refused because of it.',
    fix: 'Wait if the provider has an outage. Else let the relay reach the token endpoint over HTTPS (port 443): login.microsoftonline.com, oauth2.googleapis.com, or what SMTP_OAUTH2_TOKEN_URL says. A private certificate authority goes into SMTP_CA_FILE.',
  },
  'oauth2-secret-wrong': {
    title: 'The client secret is wrong',
    meaning:
      'The token endpoint does not know this client secret. The usual reason: the *id* of the secret was copied instead of its *value*.',
    fix: `In Entra, App registrations, your application, Certificates & secrets: make a new client secret and copy its Value, which is shown once, into SMTP_OAUTH2_CLIENT_SECRET, ${restart}`,
  },
  'oauth2-secret-expired': {
    title: 'The client secret has expired',
    meaning: 'A client secret lives for 24 months at most. No new access token is given for this one.',
    fix: `In Entra, App registrations, your application, Certificates & secrets: make a new client secret and put its Value into SMTP_OAUTH2_CLIENT_SECRET, ${restart} Waiting mail is sent then.`,
  },
  'oauth2-certificate': {
    title: 'The certificate or key of the application is not accepted',
    meaning:
      'The request was signed with a key that the provider does not know for this application or service account.',
    fix: `Upload the certificate of SMTP_OAUTH2_CLIENT_CERT_FILE to the application (Certificates & secrets), and let SMTP_OAUTH2_CLIENT_KEY_FILE be its key. For Google make a new JSON key and set SMTP_OAUTH2_SERVICE_ACCOUNT, ${restart}`,
  },
  'oauth2-clock': {
    title: 'The clock of this machine is wrong',
    meaning:
      'The signed request is valid for a few minutes only, and by the clock of the provider that time has passed or not begun.',
    fix: 'Set the clock of the host and keep it right with NTP (timedatectl, chrony). A container has the clock of its host. The next try works.',
  },
  'oauth2-application': {
    title: 'The application does not exist there',
    meaning:
      'The client id is wrong, belongs to another tenant or another provider, or the application was deleted.',
    fix: `Copy the application (client) id into SMTP_OAUTH2_CLIENT_ID and the directory (tenant) id into SMTP_OAUTH2_TENANT, both from the overview of the app registration; SMTP_OAUTH2_PROVIDER must be its provider, ${restart}`,
  },
  'oauth2-tenant': {
    title: 'The tenant is wrong',
    meaning:
      'The tenant does not exist, or the grant was made for another one. Without a person, common and organizations do not work.',
    fix: `Set SMTP_OAUTH2_TENANT to the directory (tenant) id from the overview of the app registration; with a refresh token to the tenant that issued it, ${restart}`,
  },
  'oauth2-consent': {
    title: 'The permission was not granted',
    meaning:
      'The application has no permission for mail in this tenant, or nobody with the right to do so has consented to it.',
    fix: 'In Entra, App registrations, API permissions: add Office 365 Exchange Online, Application permission SMTP.SendAsApp (not the one of Microsoft Graph), then Grant admin consent. In Google Workspace the administrator must trust the application.',
  },
  'oauth2-delegation': {
    title: 'The service account may not act for this mailbox',
    meaning: 'Domain-wide delegation is missing for the service account, or it was given for another scope.',
    fix: 'In the Google Admin console, Security, API controls, Domain-wide delegation: add the numeric client id of the service account with the scope https://mail.google.com/. SMTP_USER must be a mailbox of this Workspace.',
  },
  'oauth2-account': {
    title: 'The account cannot be used for OAuth2',
    meaning: 'The account does not exist there, is disabled, or is of another kind than the tenant.',
    fix: `Set SMTP_USER to a mailbox of the tenant (Microsoft) or the Workspace (Google), and SMTP_OAUTH2_TENANT to its tenant, ${restart}`,
  },
  'oauth2-policy': {
    title: 'A policy of the organisation refuses the token',
    meaning:
      'Conditional access, multi-factor rules or session limits apply to this account, so no token is given without a person.',
    fix: `Use the grant without a person: leave SMTP_OAUTH2_REFRESH_TOKEN empty and set SMTP_OAUTH2_TENANT, SMTP_OAUTH2_CLIENT_ID and SMTP_OAUTH2_CLIENT_SECRET; or let the administrator exclude this account from the policy, ${restart}`,
  },
  'oauth2-public-client': {
    title: 'The application is registered as another kind of client',
    meaning: 'A public client must not send a client secret, and a confidential one must.',
    fix: `In Entra, Authentication, set Allow public client flows to what you use; without a secret there, leave SMTP_OAUTH2_CLIENT_SECRET empty, ${restart}`,
  },
  'oauth2-revoked': {
    title: 'The OAuth2 permission has ended',
    meaning:
      'The refresh token was revoked or has expired: a changed password, an administrator, 90 days without use (Microsoft), six months (Google), or seven days while a Google application is in testing.',
    fix: `For Google set the publishing status of the application to In production first. Then run npm run doctor -- authorize and put what it prints into SMTP_OAUTH2_REFRESH_TOKEN, ${restart} Waiting mail is sent then.`,
  },
  'oauth2-scope': {
    title: 'The OAuth2 permission does not cover SMTP',
    meaning:
      'The scope is not one for SMTP. A token for the web interface only (Microsoft Graph, gmail.send) is refused by the SMTP server with a password error.',
    fix: `Leave SMTP_OAUTH2_SCOPE empty with microsoft and google, where the right one is known (https://outlook.office365.com/.default and https://mail.google.com/). With a refresh token run npm run doctor -- authorize again and set SMTP_OAUTH2_REFRESH_TOKEN, ${restart}`,
  },
  'oauth2-token-refused': {
    title: 'The mail server refuses a token that is valid',
    meaning:
      'The token endpoint gave a token, and the mail server does not accept it for this mailbox: so the rights on the mailbox are missing, not the token. After a change it takes some minutes, at times an hour, until it works.',
    fix: "Check SMTP_USER, the rights of the application on this mailbox, and whether SMTP is switched on for it; the manual's pages on Microsoft 365 and Google list them in order.",
    providers: {
      microsoft365:
        'In Exchange PowerShell check in this order: New-ServicePrincipal was made with the object id of the *Enterprise application* (not of the app registration; a wrong one is accepted and never works), Add-MailboxPermission gives it FullAccess to SMTP_USER, Set-CASMailbox has -SmtpClientAuthenticationDisabled $false, and admin consent was granted for SMTP.SendAsApp. Then wait up to an hour.',
      gmail:
        'The scope must be https://mail.google.com/ (gmail.send is not enough), SMTP_USER the mailbox that gave the permission, and IMAP/SMTP access allowed for it by the administrator.',
    },
  },
  'oauth2-mailbox-permission': {
    title: 'The application may not open the mailbox',
    meaning:
      'Signing in worked, but Exchange cannot open the mailbox for this application when the mail is sent. Its code is that of a passing fault, and yet it stays until the right is given.',
    fix: 'In Exchange PowerShell: Add-MailboxPermission -Identity MAILBOX -User SERVICE-PRINCIPAL-ID -AccessRights FullAccess, with the mailbox of SMTP_USER. A new or moved mailbox may need an hour. Waiting mail is sent then.',
  },
  'relay-denied': {
    title: 'The server does not forward mail for this client',
    meaning:
      'It accepts only its own recipients, because the client did not sign in or is not known to it. The recipient is not at fault.',
    fix: `Use the submission host and port (465 or 587) of your provider with SMTP_USER and SMTP_PASSWORD, ${restart} On your own server allow this client to relay.`,
  },
  'daily-limit': {
    title: "The day's sending limit is reached",
    meaning:
      'The provider counts emails in 24 hours. The code looks permanent, but the mail can be sent when the 24 hours have passed.',
    fix: 'No action is needed: mail is kept and sent later. Set SMTP_MAX_PER_DAY below the limit, or move to a larger plan.',
    providers: {
      gmail:
        'Gmail allows 500 recipients in 24 hours, Workspace 2,000 emails: set SMTP_MAX_PER_DAY below that, or use a transactional provider.',
      icloud: 'iCloud allows 1,000 emails a day: set SMTP_MAX_PER_DAY below that.',
      hostinger:
        'Hostinger allows 1,000 or 3,000 emails a day and mailbox by plan: set SMTP_MAX_PER_DAY below that.',
    },
  },
  'hourly-limit': {
    title: "The hour's sending limit is reached",
    meaning: 'The provider counts emails per hour. Mail over the limit is refused or dropped there.',
    fix: 'No action is needed: mail is kept and sent later. Set SMTP_MAX_PER_HOUR below the limit.',
  },
  'sending-limit': {
    title: 'A sending limit of the account is reached',
    meaning: 'The provider asks to send less. Continuing turns limits into blocks.',
    fix: 'No action is needed: mail is kept and paced. Look up the limit of your plan and set SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY below it.',
  },
  'relay-peak': {
    title: "The relay's peak limit is reached",
    meaning: 'The provider limits how much a customer may relay at a time; recipients are not at fault.',
    fix: 'No action is needed: mail is kept and paced. Set SMTP_MAX_PER_HOUR below the limit.',
  },
  rate: {
    title: 'Mail is sent faster than allowed',
    meaning: 'The provider limits emails per second or minute.',
    fix: 'No action is needed: the relay slows down. Lower SMTP_MAX_CONNECTIONS or set SMTP_MAX_PER_HOUR.',
  },
  'rate-disguised': {
    title: 'A limit that looks like a refusal',
    meaning:
      'A final code together with "try again later" means the provider limits you; the same mail passes later.',
    fix: 'No action is needed: mail is kept and paced. Set SMTP_MAX_PER_HOUR if it happens again.',
  },
  'recipient-rate': {
    title: 'The recipient is getting mail too quickly',
    meaning: 'Only this mailbox is limited for a moment.',
    fix: 'No action is needed: it is tried again. Check whether something sends many emails to the same person.',
  },
  concurrency: {
    title: 'Too many connections at the same time',
    meaning: 'The provider allows only a few connections for this account or address.',
    fix: 'The relay waits and tries again. Lower SMTP_MAX_CONNECTIONS, and count other programs with the same account.',
    providers: {
      microsoft365: 'Microsoft 365 allows three connections per mailbox: set SMTP_MAX_CONNECTIONS=2.',
    },
  },
  'abuse-lock': {
    title: 'The provider blocks sending as suspicious',
    meaning: 'Its abuse protection stopped the account, sometimes with the first mail of a new one.',
    fix: 'Stop other senders and ask the provider to review the account; mail is kept meanwhile.',
    providers: { zoho: 'Contact Zoho support; unblocking may take one to five working days.' },
  },
  'account-blocked': {
    title: 'The sending account is blocked',
    meaning: 'The provider suspended sending for it, mostly after spam reports or a stolen password.',
    fix: 'Change the password, find what sent the spam, let the administrator unblock the account, then set SMTP_PASSWORD.',
  },
  'account-inactive': {
    title: 'The account with the provider is not activated yet',
    meaning: 'Sign-in works, but the provider has not released the account for sending.',
    fix: "Finish the provider's activation (profile, domain, sometimes a request to its support); mail is kept and sent afterwards.",
  },
  'account-permission': {
    title: 'This credential is not permitted to send',
    meaning: 'The sign-in is right, but the key, user or policy behind it lacks the right to send this mail.',
    fix: "Give the key or user the permission to send in the provider's dashboard, or put one that has it into SMTP_USER and SMTP_PASSWORD.",
    providers: {
      ses: 'Attach a policy that allows ses:SendRawEmail for this identity to the IAM user of the SMTP credentials.',
      sendgrid: 'Create an API key with Mail Send access and put it into SMTP_PASSWORD.',
    },
  },
  'hotmail-policy': {
    title: 'Outlook.com wants the account verified',
    meaning:
      'The reply looks like a refused mailbox or size, but means that the account must be confirmed or has met a limit.',
    fix: 'Sign in to Outlook.com with SMTP_USER, verify the account, and send less at first.',
  },
  'ip-reputation': {
    title: 'The sending IP address is being slowed down',
    meaning: 'The receiver sees an unusual amount of unwanted mail from it.',
    fix: 'The relay tries again slowly. If it stays, send through a provider instead of directly, or ask about a clean address.',
  },
  'sender-not-owned': {
    title: 'This account may not send from this address',
    meaning:
      'The From address does not belong to the signed-in mailbox. Servers often say so only at the recipient or after the text; the recipient is not at fault.',
    fix: `Set SMTP_FROM_EMAIL to the address of SMTP_USER, or add the address as an alias or Send-As right there, ${restart}`,
    providers: {
      privateemail:
        'Send from the mailbox you sign in with; other addresses must be aliases of that mailbox.',
      microsoft365:
        'Send from the login address, or give the account Send As for the From address in the Exchange admin centre.',
      zoho: 'Zoho says so at the end of the text: set SMTP_FROM_EMAIL to the login address or one of its aliases.',
      fastmail: 'Use the login address or a verified alias as SMTP_FROM_EMAIL.',
    },
  },
  'sender-empty': {
    title: 'The mail has no sender address',
    meaning: 'An empty envelope sender is for bounces only; mailbox providers refuse it.',
    fix: `Set SMTP_FROM_EMAIL to an address of the account, ${restart}`,
  },
  'sender-unverified': {
    title: 'The From address or domain is not verified with the provider',
    meaning:
      'Transactional providers send only for identities they have checked; in a sandbox the recipients too.',
    fix: "Verify the domain or address in the provider's dashboard, in the region you use, and set SMTP_FROM_EMAIL to it (not to the login name or key).",
    providers: {
      ses: 'Verify domain or address in the region of SMTP_HOST, leave the sandbox, and set SMTP_FROM_EMAIL: the SMTP user name is no address.',
      sendgrid: 'Verify a Sender Identity or authenticate the domain, and set SMTP_FROM_EMAIL to it.',
      resend: 'Verify the domain in Resend and set SMTP_FROM_EMAIL to an address of it.',
    },
  },
  'sender-refused': {
    title: 'The server refuses this sender address',
    meaning: 'The reply to the sender was final, but does not say why.',
    fix: 'Check that SMTP_FROM_EMAIL is a real address of the account and its domain exists; then ask the provider with the reply.',
  },
  'sender-domain-unknown': {
    title: 'The domain of the From address does not exist in DNS',
    meaning: 'The server looked the domain up and found no mail or address record.',
    fix: `Correct SMTP_FROM_EMAIL, or create the MX or A record of its domain, ${restart}`,
  },
  'sender-mailbox-full': {
    title: "The sender's own mailbox is full",
    meaning: 'The provider stores sent mail in it and has no room left. It is not the recipient.',
    fix: 'Empty the mailbox of SMTP_USER (Sent Items) or enlarge it.',
  },
  'dmarc-spf-dkim': {
    title: 'The domain does not authorise this server to send',
    meaning:
      'SPF, DKIM or DMARC of the From domain fail for this route. The code is temporary, but waiting does not help.',
    fix: "Publish the provider's SPF and DKIM records for the domain of SMTP_FROM_EMAIL (IPv6 included), and send through that provider.",
  },
  'dns-record-typo': {
    title: 'The SPF, DKIM or DMARC record is at the wrong name',
    meaning:
      'Some DNS panels append the domain to what you type, so _dmarc.example.com became _dmarc.example.com.example.com.',
    fix: 'Enter only the host part (@, _dmarc, default._domainkey) in the panel, then check with dig TXT.',
  },
  'helo-rejected': {
    title: 'The server refuses the name this client introduces itself with',
    meaning: 'A container id or a bare name is no host name. The reply may come only at the recipient.',
    fix: 'Give the container a fully qualified host name that resolves (`hostname: mail.example.com`), or use authenticated submission on 465 or 587.',
  },
  'ip-blocklist': {
    title: 'The IP address of this server is on a blocklist',
    meaning: 'The server refuses everything from it, whoever the recipient is.',
    fix: 'Send through your provider on 465 or 587 with SMTP_USER and SMTP_PASSWORD; else ask for removal from the named list or change the address.',
  },
  'no-reverse-dns': {
    title: 'The IP address of this server has no reverse DNS',
    meaning: 'Receivers refuse addresses without a PTR record that leads back to them.',
    fix: 'Set the PTR record at the hosting company (IPv4 and IPv6), or send through a provider on 465 or 587.',
  },
  'client-refused': {
    title: 'The server refuses this client',
    meaning: 'It does not accept mail from this IP address or name, whoever the recipient is.',
    fix: 'Sign in with SMTP_USER and SMTP_PASSWORD on 465 or 587, or have the address allowed by the server.',
  },
  'sandbox-recipient': {
    title: 'The test account may write to authorised recipients only',
    meaning: 'Sandbox and trial accounts refuse everyone else. The recipient is not at fault.',
    fix: "Add your own domain and leave the sandbox in the provider's dashboard, or authorise this recipient for tests.",
  },
  'user-unknown': {
    title: 'The recipient does not exist',
    meaning: 'The server knows the domain, but not this mailbox.',
    fix: 'Correct the address or remove it from your list.',
  },
  'bad-domain': {
    title: "The recipient's domain does not exist or takes no mail",
    meaning: 'There is no mail server for it; mostly a typing error such as gmial.com.',
    fix: 'Correct the part after the @, or ask the person for another address.',
  },
  'mailbox-full': {
    title: "The recipient's mailbox is full",
    meaning: 'There is no room for more mail.',
    fix: 'Reach the person in another way; the mail can be sent again later.',
  },
  'mailbox-disabled': {
    title: "The recipient's mailbox is closed",
    meaning: 'The account is disabled, inactive or suspended.',
    fix: 'Ask for another address and remove this one.',
  },
  smtputf8: {
    title: 'The address has characters that this server does not support',
    meaning:
      'A non-ASCII address needs SMTPUTF8 on every server on the way, and this server does not offer it.',
    fix: 'Ask for an ASCII address.',
  },
  'eight-bit': {
    title: 'The mail has 8-bit text, and this server takes 7-bit text only',
    meaning:
      'The server does not offer 8BITMIME. The relay does not rewrite mail, because that would break its signature.',
    fix: 'Let the program that composes the mail encode its text as quoted-printable or base64 (mail from the API always is), or send through a provider that offers 8BITMIME.',
  },
  'invalid-address': {
    title: 'The recipient address is not valid',
    meaning: 'The server cannot read it as an address.',
    fix: 'Correct the address: one @, no spaces, no name without angle brackets.',
  },
  'policy-reject': {
    title: 'The recipient does not accept this mail',
    meaning: 'A rule on the receiving side refuses it.',
    fix: "Ask the recipient's administrator to allow your address; otherwise remove the recipient.",
  },
  'recipient-refused': {
    title: 'The server refuses this recipient',
    meaning: 'The reply to the recipient was final, but does not say why. Other recipients are not affected.',
    fix: 'Check the address, and read the reply; send again when it is corrected.',
  },
  greylist: {
    title: 'The receiver asks to come back later',
    meaning: 'Unknown senders are put off once on purpose; the second try passes.',
    fix: 'No action is needed: it is tried again.',
  },
  'multi-domain': {
    title: 'The server takes one recipient domain at a time',
    meaning: 'The mail goes to several domains in one transaction.',
    fix: 'No action is needed: the relay sends it in smaller groups.',
  },
  'too-many-recipients': {
    title: 'Too many recipients at once',
    meaning: 'The server limits recipients per mail.',
    fix: 'No action is needed: the relay sends it in smaller groups.',
  },
  'too-big': {
    title: 'The mail is too big',
    meaning: 'Attachments grow by a third when they are encoded; the server refuses the size.',
    fix: 'Make the attachments smaller or send links. On your own server raise its size limit.',
  },
  virus: {
    title: 'A virus was found in the mail',
    meaning: 'The scanner of the server refuses it.',
    fix: 'Do not send it again. Check where the attachment came from.',
  },
  'blocked-attachment': {
    title: 'The kind of attachment is not allowed',
    meaning: 'Programs, scripts and some archives are refused by many servers.',
    fix: 'Send a link instead, or another format such as PDF.',
  },
  'spam-reject': {
    title: 'The mail was treated as spam',
    meaning: 'The content filter refused this mail.',
    fix: 'Look at links, words and missing text part of the mail; check SPF, DKIM and DMARC of the domain; watch whether more emails are refused.',
  },
  'malformed-message': {
    title: 'The mail is not well formed',
    meaning: 'A header is missing or doubled, a line is too long, or line ends are wrong.',
    fix: 'Correct the program that composes the mail: Subject, From and Date once each, lines below 998 bytes, CRLF line ends.',
  },
  'mail-loop': {
    title: 'The mail loops between servers',
    meaning: 'It has passed too many servers, mostly because two of them forward to each other.',
    fix: 'Correct the forwarding rules of the recipient; check that SMTP_HOST is not the relay itself.',
  },
  'message-refused': {
    title: 'The server refuses this mail',
    meaning: 'It read the mail and refused it permanently, without a reason.',
    fix: 'Read the reply and ask the provider with it; a changed mail can be sent again.',
  },
  'imap-sign-in': {
    title: 'The mailbox for delivery reports refuses the login',
    meaning:
      'Mail leaves as before, but reports about mail that came back are not read, so it stays "sent" although it bounced.',
    fix: 'Check BOUNCE_IMAP_USER and BOUNCE_IMAP_PASSWORD (unset: SMTP_USER and SMTP_PASSWORD), and that IMAP is allowed for this mailbox; many providers want an app password.',
  },
  'imap-unreachable': {
    title: 'The mailbox for delivery reports cannot be reached',
    meaning:
      'Mail leaves as before, but reports about mail that came back are not read, so it stays "sent" although it bounced.',
    fix: 'Check BOUNCE_IMAP_HOST, BOUNCE_IMAP_PORT and BOUNCE_IMAP_TLS_MODE, and that this host may open connections to port 993.',
  },
  'imap-folder': {
    title: 'A folder of the mailbox for delivery reports does not exist',
    meaning: 'BOUNCE_IMAP_FOLDERS or BOUNCE_IMAP_MOVE_TO names a folder that the mail server does not have.',
    fix: 'Correct BOUNCE_IMAP_FOLDERS or BOUNCE_IMAP_MOVE_TO; INBOX is always there.',
  },
  'remote-unreachable': {
    title: "The recipient's mail server could not be reached",
    meaning:
      'The provider took the mail and tried for as long as it tries, but the server of the recipient did not answer, or its name could not be resolved.',
    fix: 'Send the mail again when the domain works; nothing is wrong with your settings.',
  },
  'temporary-refusal': {
    title: 'The server refuses the mail for now',
    meaning: 'A temporary fault on its side. Mail waits and is tried again.',
    fix: 'No action is needed if it passes; the reply says more if it stays.',
  },
  'protocol-error': {
    title: 'Client and server misunderstood each other',
    meaning:
      'A command was refused as unknown or out of turn. Nothing is said about mail or recipient, so it waits and is tried again.',
    fix: 'If it stays, a proxy or firewall changes the conversation: use SMTP_PORT=465, and run npm run doctor.',
  },
  'conn-reset': {
    title: 'The connection broke in the middle',
    meaning: 'It was cut before the mail was complete, so nothing was accepted. It is tried again.',
    fix: 'No action is needed if it passes. If it stays in production only, check allow-lists at the provider, SMTP_PORT against SMTP_TLS_MODE, and firewalls that cut long connections.',
  },
  'lost-after-dot': {
    title: 'The mail was sent completely, but the answer was lost',
    meaning:
      'Nobody can tell whether the provider took it (RFC 1047). Sending it again may make a second copy.',
    fix: "Look in the provider's log for the Message-ID, then decide on the mail's page or with POST /api/v1/emails/:id/resolve. UNCERTAIN_POLICY decides what happens otherwise.",
  },
  unknown: {
    title: 'A failure we do not know yet',
    meaning: 'The report says too little to name a cause, so the mail waits and is tried again.',
    fix: 'Run npm run doctor: it tries every stage of the connection to the provider and names the first that fails.',
  },
} as const satisfies Readonly<Record<string, Entry>> & Readonly<Record<FindingCause, Entry>>;

/** A short stable slug; shown by the API, the doctor and the logs. */
export type Cause = keyof typeof catalogue;

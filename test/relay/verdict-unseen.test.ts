// Failures nobody copied from the corpus: other providers, other tools, other words for the same phenomena. Written
// from knowledge of the tools before the rules were tried on them. Each line is [verdict, stage, what was reported].
import { expect, test } from 'vitest';
import type { Stage, Verdict } from '../../relay/client/vocabulary.ts';
import type { Settings, Symptom } from '../../relay/verdict/failure.ts';
import { judge } from '../../relay/verdict/verdict.ts';

type Case = readonly [Verdict, Stage | undefined, Symptom | string, Settings?];

const cases: readonly Case[] = [
  // names
  ['stop', 'dns', '[Errno -2] Name or service not known', { host: 'smpt.example.com' }],
  [
    'stop',
    'dns',
    'dial tcp: lookup mail.example.invalid on 127.0.0.11:53: no such host',
    { host: 'mail.example.invalid' },
  ],
  [
    'retry',
    'dns',
    'dial tcp: lookup smtp.example.com on 10.96.0.10:53: server misbehaving',
    { host: 'smtp.example.com' },
  ],
  [
    'retry',
    'dns',
    'socket.gaierror: [Errno -3] Temporary failure in name resolution',
    { host: 'smtp.example.com' },
  ],
  ['stop', undefined, 'java.net.UnknownHostException: smtp.exmaple.com', { host: 'smtp.exmaple.com' }],
  [
    'stop',
    undefined,
    'php_network_getaddresses: getaddrinfo failed: Name or service not known',
    { host: 'ssl://smtp.example.com' },
  ],
  [
    'retry',
    'dns',
    { code: 'EDNS', errno: -3001, syscall: 'getaddrinfo', hostname: 'smtp.example.com' },
    { host: 'smtp.example.com' },
  ],
  [
    'stop',
    'dns',
    { code: 'EDNS', errno: -3008, syscall: 'getaddrinfo', hostname: '"smtp.example.com"' },
    { host: '"smtp.example.com"' },
  ],
  ['stop', undefined, 'curl: (6) Could not resolve host: smtp.example.com;', { host: 'smtp.example.com;' }],
  // connecting
  [
    'failover',
    'tcp',
    {
      code: 'ESOCKET',
      errno: -111,
      syscall: 'connect',
      address: '203.0.113.5',
      port: 465,
      message: 'connect ECONNREFUSED 203.0.113.5:465',
    },
    { host: 'mail.example.com', port: 465 },
  ],
  [
    'failover',
    'tcp',
    'ConnectionRefusedError: [Errno 111] Connection refused',
    { host: 'mail.example.com', port: 587 },
  ],
  ['failover', 'tcp', 'dial tcp 203.0.113.9:465: i/o timeout', { host: 'mail.example.com', port: 465 }],
  [
    'failover',
    'tcp',
    "com.sun.mail.util.MailConnectException: Couldn't connect to host, port: smtp.example.com, 465; timeout 5000; nested exception is: java.net.SocketTimeoutException: connect timed out",
    { host: 'smtp.example.com', port: 465 },
  ],
  [
    'failover',
    'tcp',
    'stream_socket_client(): unable to connect to ssl://smtp.example.com:465 (Connection timed out)',
    { host: 'smtp.example.com', port: 465 },
  ],
  [
    'failover',
    'tcp',
    { errno: -4039, syscall: 'connect', message: 'connect ETIMEDOUT 203.0.113.9:587', port: 587 },
    { host: 'smtp.example.com', port: 587 },
  ],
  ['failover', 'tcp', 'connect EHOSTUNREACH 2001:db8::25:465', { host: 'smtp.example.com', port: 465 }],
  [
    'failover',
    'tcp',
    { errno: -101, syscall: 'connect', address: '2001:db8::25', port: 465 },
    { host: 'smtp.example.com', port: 465 },
  ],
  [
    'stop',
    'tcp',
    {
      errno: -111,
      syscall: 'connect',
      address: '127.0.0.1',
      port: 587,
      message: 'connect ECONNREFUSED 127.0.0.1:587',
    },
    { host: '' },
  ],
  ['stop', 'tcp', 'connect ECONNREFUSED ::1:465', {}],
  ['stop', 'tcp', 'Outbound SMTP is disabled on the trial plan; upgrade to send mail from this service', {}],
  // TLS
  [
    'failover',
    'tls',
    '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1007)',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'tls',
    'tls: first record does not look like a TLS handshake',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'tls',
    'javax.net.ssl.SSLException: Unsupported or unrecognized SSL message',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'tls',
    'received corrupt message of type InvalidContentType',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'tls',
    'Client network socket disconnected before secure TLS connection was established',
    { host: 'smtp.example.com', port: 465 },
  ],
  [
    'stop',
    'tls',
    'x509: certificate has expired or is not yet valid: current time 2026-02-02T10:00:00Z is after 2026-01-31T23:59:59Z',
  ],
  ['stop', 'tls', 'x509: certificate is valid for *.hosting.example, not mail.example.com'],
  ['stop', 'tls', 'x509: certificate signed by unknown authority'],
  ['stop', 'tls', 'PKIX path building failed: unable to find valid certification path to requested target'],
  ['stop', 'tls', "Peer certificate CN=`*.web.example' did not match expected CN=`mail.example.com'"],
  [
    'stop',
    'tls',
    '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1129)',
  ],
  ['stop', 'tls', { code: 'ESOCKET', message: 'certificate has expired', command: 'CONN' }],
  ['stop', 'tls', 'error:0A000102:SSL routines::unsupported protocol'],
  ['stop', 'starttls', 'Error upgrading connection with STARTTLS: 454 4.3.3 TLS currently unavailable'],
  [
    'failover',
    'starttls',
    'STARTTLS extension not supported by server.',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'starttls',
    'STARTTLS is required but host does not support STARTTLS',
    { host: 'smtp.example.com', port: 587 },
  ],
  [
    'failover',
    'starttls',
    { code: 'ETLS', responseCode: 502, reply: '502 5.5.1 XXXXXXXA unrecognized command' },
    { host: 'smtp.example.com', port: 587 },
  ],
  // who answers
  [
    'failover',
    'greeting',
    { code: 'ETIMEDOUT', command: 'CONN', message: 'Greeting never received' },
    { host: 'smtp.example.com', port: 465, secure: false },
  ],
  [
    'failover',
    'greeting',
    'lost connection with smtp.example.com[203.0.113.7] while receiving the initial server greeting',
    { host: 'smtp.example.com', port: 587 },
  ],
  ['failover', 'greeting', 'Connection unexpectedly closed', { host: 'smtp.example.com', port: 465 }],
  [
    'stop',
    'greeting',
    'Invalid greeting. response=* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS] Dovecot ready.',
  ],
  ['stop', 'greeting', 'Invalid greeting. response=SSH-2.0-OpenSSH_9.6'],
  [
    'stop',
    'greeting',
    '554 5.7.1 Service unavailable; Client host [203.0.113.44] blocked using bl.spamcop.net',
  ],
  ['stop', 'greeting', '554 mx.example.net ESMTP Your IP address has a poor reputation'],
  ['retry', 'greeting', '421 4.3.2 Service not available, closing transmission channel'],
  ['retry', 'greeting', '421 4.7.0 smtp.example.com Error: too many connections from 203.0.113.4'],
  [
    'failover',
    'ehlo',
    'lost connection while performing the EHLO handshake',
    { host: 'smtp.example.com', port: 587 },
  ],
  // signing in
  [
    'stop',
    'auth',
    "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials')",
  ],
  ['stop', 'auth', 'SMTP Error: Could not authenticate.'],
  [
    'stop',
    'auth',
    'Failed to authenticate on SMTP server with username "hello@example.com" using 2 possible authenticators',
  ],
  ['stop', 'auth', 'javax.mail.AuthenticationFailedException: 535 Incorrect authentication data'],
  [
    'stop',
    'auth',
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled',
  ],
  [
    'stop',
    'auth',
    '534-5.7.14 <https://accounts.google.com/signin/continue?sarp=1> Please log in via your web browser and then try again.',
  ],
  [
    'stop',
    'auth',
    '535 5.7.0 (#AUTH005) Too many bad auth attempts, account has been blocked. Contact support.',
  ],
  ['pause', 'auth', '454 4.7.0 Too many login attempts, please try again later. d2e1a72fcca58-gsmtp'],
  ['retry', 'auth', '454 4.7.0 Temporary authentication failure: Connection lost to authentication server'],
  ['retry', 'auth', '421 4.7.66 Temporary server error. Please try again later'],
  [
    'failover',
    'auth',
    '538 5.7.11 Encryption required for requested authentication mechanism',
    { host: 'smtp.example.com', user: 'a', pass: 'b' },
  ],
  ['stop', 'auth', "smtp: server doesn't support AUTH"],
  ['stop', 'auth', '504 5.7.4 Unrecognized Authentication Type'],
  ['stop', 'auth', 'invalid_grant: Token has been expired or revoked.'],
  ['stop', 'auth', '535 5.7.8 Your IP 203.0.113.8 is not on the allow list of this account'],
  ['stop', 'auth', '535 Authentication failed: Your account has been suspended, please contact billing'],
  ['stop', 'auth', { code: 'EAUTH', command: 'API', message: 'Missing credentials for "LOGIN"' }],
  [
    'stop',
    'mail',
    'Expected response code "250" but got code "530", with message "530 5.7.1 Authentication required"',
  ],
  [
    'stop',
    'mail',
    'The SMTP server requires a secure connection or the client was not authenticated. The server response was: 5.7.57 Client not authenticated to send mail.',
  ],
  [
    'failover',
    'mail',
    '530 5.7.0 Must issue a STARTTLS command first',
    { host: 'smtp.example.com', port: 587 },
  ],
  // the sender
  [
    'stop',
    'rcpt',
    '553 5.7.1 <billing@example.com>: Sender address rejected: not owned by user info@example.com',
  ],
  ['stop', 'mail', '550 5.7.1 You are not authorized to send from this address'],
  ['stop', 'dot', '553 Relaying disallowed as shop@example.org'],
  [
    'stop',
    'dot',
    '554 5.2.252 SendAsDenied; app@example.com not allowed to send as noreply@example.com; STOREDRV.Submission.Exception:SendAsDeniedException',
  ],
  ['stop', 'dot', '550 5.7.1 The From: header address must match the authenticated user'],
  [
    'stop',
    'dot',
    '554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: noreply@example.com',
  ],
  ['stop', 'dot', '403 The example.com domain is not verified. Please, add and verify your domain'],
  ['stop', 'rcpt', '553 5.7.1 <app@example.com>: Sender address rejected: not logged in'],
  [
    'stop',
    'dot',
    '550 5.7.515 Access denied, sending domain example.com does not meet the required authentication level',
  ],
  ['stop', 'dot', '550 5.7.1 Email rejected per DMARC policy for example.com'],
  ['stop', 'rcpt', '550 5.7.23 The message was rejected because of Sender Policy Framework violation'],
  ['stop', 'rcpt', '450 4.7.1 <app-7f9c>: Helo command rejected: Host not found'],
  ['stop', 'rcpt', '550 5.7.25 The IP address sending this message does not have a PTR record setup'],
  ['stop', 'rcpt', '554 5.7.1 <unknown[203.0.113.4]>: Client host rejected: Access denied'],
  ['stop', 'dot', '550 5.7.501 Service unavailable. Spam abuse detected from IP range.'],
  ['stop', 'dot', '550 5.1.8 Access denied, bad outbound sender AS(42004)'],
  ['stop', 'rcpt', '454 4.7.1 <ann@example.net>: Relay access denied'],
  ['stop', 'rcpt', '550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain'],
  ['stop', 'rcpt', 'com.sun.mail.smtp.SMTPAddressFailedException: 550 relay not permitted'],
  // limits
  ['pause', 'dot', '454 Throttling failure: Daily message quota exceeded.'],
  ['retry', 'dot', '454 Throttling failure: Maximum sending rate exceeded.'],
  [
    'pause',
    'rcpt',
    '550 5.7.1 ann@example.com: You have exceeded your daily sending limit. Please try again later.',
  ],
  ['pause', 'mail', '550 5.4.5 Daily SMTP relay limit exceeded for user.'],
  [
    'pause',
    'dot',
    '554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; message submission quota exceeded for account',
  ],
  [
    'pause',
    'rcpt',
    'User me@example.com has exceeded its 24-hour sending limit. Messages to 25 recipients out of 25 allowed have been sent.',
  ],
  ['pause', 'rcpt', '451 4.7.1 <DATA>: Data command rejected: only 10 messages per day'],
  ['pause', 'dot', '552 5.7.0 Account exceeded hour limit'],
  ['pause', 'mail', '421 4.7.0 You have reached your hourly sending quota, try again in 25 minutes'],
  [
    'retry',
    'mail',
    '432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending',
  ],
  ['retry', 'mail', '450 4.7.1 Error: too much mail from 203.0.113.99, slow down'],
  ['stop', 'auth', '451 Authentication failed: You have no credits left on your plan'],
  // recipients
  [
    'fail',
    'rcpt',
    '550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in virtual mailbox table',
  ],
  ['fail', 'rcpt', "(550, b'No Such User Here')"],
  ['fail', 'rcpt', '550 5.4.1 Recipient address rejected: Access denied. AS(201806281)'],
  ['fail', 'rcpt', '552 5.2.2 The email account that you tried to reach is over quota and inactive.'],
  ['retry', 'rcpt', '452 4.2.2 The recipient’s inbox is out of storage space'],
  ['fail', 'rcpt', '550 5.2.1 The email account that you tried to reach is disabled.'],
  ['fail', 'rcpt', '501 5.1.3 Bad recipient address syntax'],
  ['retry', 'rcpt', '450 4.2.0 <ann@example.com>: Recipient address rejected: Greylisted for 300 seconds'],
  ['retry', 'rcpt', '451 4.7.1 Greylisting in action, please come back in 00:04:58'],
  ['split', 'rcpt', '452 4.5.3 Error: too many recipients'],
  ['split', 'rcpt', '550 5.5.3 Too many recipients specified for this message'],
  ['retry', 'rcpt', '450 4.1.1 <ann@example.com>: Recipient address rejected: unverified address'],
  ['retry', 'rcpt', '451 4.3.0 <ann@example.com>: Temporary lookup failure'],
  ['fail', 'rcpt', '550 5.4.4 Invalid domain'],
  // the message
  ['fail', 'dot', '552 5.3.4 Error: message file too big'],
  [
    'fail',
    'dot',
    '552-5.7.0 This message was blocked because its content presents a potential security issue.',
  ],
  [
    'fail',
    'dot',
    '554 5.7.1 This message has been blocked because it contains malware (Heuristics.Phishing.Email.SpoofedDomain)',
  ],
  ['fail', 'dot', '550 5.7.1 [CS] Message classified as spam, score 14.2'],
  ['fail', 'dot', '550 Maximum line length exceeded (see RFC 5322 2.1.1).'],
  ['fail', 'dot', '554 5.4.6 Too many hops'],
  ['fail', 'dot', '554 5.6.0 Message contains bare LF'],
  ['fail', 'dot', '554 Transaction failed'],
  // the line breaks
  [
    'retry',
    'data',
    { code: 'ESOCKET', errno: -104, syscall: 'read', message: 'read ECONNRESET', command: 'CONN' },
  ],
  ['retry', 'rcpt', 'smtplib.SMTPServerDisconnected: Server not connected'],
  ['retry', 'mail', '421 4.4.2 mail.example.com Error: timeout exceeded'],
  ['retry', 'data', '451 4.3.0 Error: queue file write error'],
  ['retry', 'mail', '452 4.3.1 Insufficient system storage'],
  ['uncertain', 'dot', { code: 'ETIMEDOUT', message: 'Timeout' }],
  ['uncertain', 'dot', 'read ECONNRESET'],
  ['uncertain', undefined, 'timed out while sending end of data -- message may be sent more than once'],
  ['uncertain', 'dot', { responseCode: 550, reply: '550 5.7' }],
  ['uncertain', 'dot', { responseCode: 250, reply: '250-2.0.0 Ok' }],
  // settings
  ['stop', 'config', '', { SMTP_HOST: 'https://smtp.example.com', SMTP_PORT: '465' }],
  ['stop', 'config', '', { SMTP_HOST: 'smtp.example.com', SMTP_PORT: '587;' }],
  ['stop', 'config', '', { SMTP_HOST: 'smtp.example.com', SMTP_USER: '', SMTP_PASSWORD: '' }],
  [
    'stop',
    'auth',
    '535 5.7.8 Authentication failed',
    { host: 'smtp.example.com', port: 465, user: 'app@example.com', pass: '"secret"' },
  ],
  [
    'stop',
    'auth',
    '535 5.7.8 Authentication failed',
    { SMTP_HOST: 'smtp.example.com', SMTP_PASSWORD: 'secret\n' },
  ],
];

test.each(cases.map(([verdict, stage, reported, config]) => ({ verdict, stage, reported, config })))(
  '$verdict at $stage: $reported',
  ({ verdict, stage, reported, config }) => {
    const symptom = typeof reported === 'string' ? { message: reported } : reported;
    const judged = judge({ stage, symptom, config });
    expect({ verdict: judged.verdict, cause: judged.cause }).toMatchObject({ verdict });
    if (stage !== undefined) expect(judged.stage).toBe(stage);
  },
);

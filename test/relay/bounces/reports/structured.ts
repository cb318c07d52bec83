// Reports with a part for machines (RFC 3464, RFC 5965, RFC 6533).
import { part, parts, plain, report, returnedHeader, returnedMail, type Sample } from './compose.ts';

const anna = 'anna@customer.example';

export const structured: readonly Sample[] = [
  {
    name: 'Exchange Online: 5.1.10, in German',
    eml: report(
      {
        From: 'Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.onmicrosoft.com>',
        Subject: 'Unzustellbar: Ihre Bestellung',
        'X-MS-Exchange-Message-Is-Ndr': '',
        'Auto-Submitted': 'auto-replied',
        'In-Reply-To': '<0192f0c1-7a10-7abc-8def-001122334455@example.org>',
      },
      `Ihre Nachricht an anna@customer.example konnte nicht zugestellt werden.\n\nanna wurde unter customer.example nicht gefunden.\n\nDiagnoseinformationen für Administratoren:\nGenerierender Server: DB9PR04MB1234.eurprd04.prod.outlook.com\n\nanna@customer.example\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@customer.example not found by SMTP address lookup'`,
      `Reporting-MTA: dns;DB9PR04MB1234.eurprd04.prod.outlook.com\nReceived-From-MTA: dns;relay.example.org\nArrival-Date: Mon, 2 Nov 2026 10:00:01 +0000\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@customer.example not found by SMTP address lookup\nX-Display-Name: anna`,
    ),
    expected: [{ address: anna, status: '5.1.10', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Exchange Online: directory-based blocking',
    eml: report(
      { Subject: 'Undeliverable: Your order', From: 'postmaster@customer.example' },
      "Your message to anna@customer.example couldn't be delivered.",
      `Reporting-MTA: dns;AM6EUR05FT012.mail.protection.outlook.com\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.4.1\nDiagnostic-Code: smtp;550 5.4.1 Recipient address rejected: Access denied. [AM6EUR05FT012.eop-eur05.prod.protection.outlook.com 2026-11-02T10:00:02.123Z 08DE]`,
    ),
    expected: [{ address: anna, status: '5.4.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Exchange Online: 5.7.1, not on the list of permitted senders',
    eml: report(
      { Subject: 'Non remis : Votre commande', From: 'postmaster@customer.example' },
      "Votre message n'a pas pu être remis.",
      `Reporting-MTA: dns;PR3P191MB1001.EURP191.PROD.OUTLOOK.COM\n\nFinal-Recipient: rfc822;team@customer.example\nAction: failed\nStatus: 5.7.133\nDiagnostic-Code: smtp;550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated when sending to this group`,
    ),
    expected: [{ address: 'team@customer.example', status: '5.7.133', hard: false, cause: 'policy-reject' }],
  },
  {
    name: 'Exchange Online: mailbox full',
    eml: report(
      { Subject: 'Undeliverable: Your order', From: 'postmaster@customer.example' },
      "anna@customer.example's mailbox is full and can't accept messages now.",
      `Reporting-MTA: dns;DB9PR04MB1234.eurprd04.prod.outlook.com\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message due to a permanent exception`,
    ),
    expected: [{ address: anna, status: '5.2.2', hard: false, cause: 'mailbox-full' }],
  },
  {
    name: 'Exchange Online: expired, the other server did not answer',
    eml: report(
      { Subject: 'Undeliverable: Your order', From: 'postmaster@customer.example' },
      'Delivery has failed to these recipients or groups: anna@customer.example',
      `Reporting-MTA: dns;DB9PR04MB1234.eurprd04.prod.outlook.com\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 4.4.316\nDiagnostic-Code: smtp;550 4.4.316 Connection refused [Message=Socket error code 10061] [LastAttemptedServerName=mx.customer.example] [LastAttemptedIP=192.0.2.99:25]`,
    ),
    expected: [{ address: anna, status: '4.4.316', hard: false }],
  },
  {
    name: 'Gmail of today: address not found',
    eml: parts(
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
        Subject: 'Delivery Status Notification (Failure)',
        'X-Failed-Recipients': anna,
        'Auto-Submitted': 'auto-replied',
        'In-Reply-To': '<0192f0c1-7a10-7abc-8def-001122334455@example.org>',
      },
      part(
        'multipart/related; boundary="r"',
        '--r\nContent-Type: multipart/alternative; boundary="a"\n\n--a\nContent-Type: text/plain; charset="UTF-8"\n\n** Address not found **\n\nYour message wasn\'t delivered to anna@customer.example because the address couldn\'t be found, or is unable to receive mail.\n\nThe response was:\n\n550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient\'s email address for typos or unnecessary spaces. For more information, go to https://support.google.com/mail/?p=NoSuchUser 4fb4d7f45d1cf-5e0000 - gsmtp\n\n--a\nContent-Type: text/html; charset="UTF-8"\n\n<html><body><p>Address not found</p></body></html>\n\n--a--\n\n--r\nContent-Type: image/png; name="icon.png"\nContent-ID: <icon.png>\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n\n--r--',
      ),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; googlemail.com\nArrival-Date: Mon, 02 Nov 2026 02:00:00 -0800 (PST)\nX-Original-Message-ID: <0192f0c1-7a10-7abc-8def-001122334455@example.org>\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; gmail-smtp-in.l.google.com. (2a00:1450:400c:c00::1a, the server for the domain customer.example.)\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550-5.1.1 unnecessary spaces. For more information, go to\n 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser 4fb4d7f45d1cf-5e0000 - gsmtp\nLast-Attempt-Date: Mon, 02 Nov 2026 02:00:02 -0800 (PST)`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Gmail of today: incomplete, will go on trying',
    eml: parts(
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
        Subject: 'Delivery Status Notification (Delay)',
        'Auto-Submitted': 'auto-replied',
      },
      part(
        'text/plain; charset="UTF-8"',
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to anna@customer.example. Gmail will retry for 47 more hours. You'll be notified if the delivery fails permanently.\n\nThe response was:\n\nThe recipient server did not accept our requests to connect. [mx.customer.example. 192.0.2.99: timed out]",
      ),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: delayed\nStatus: 4.4.1\nDiagnostic-Code: smtp; The recipient server did not accept our requests to connect.\n [mx.customer.example. 192.0.2.99: timed out]\nWill-Retry-Until: Wed, 04 Nov 2026 02:00:00 -0800 (PST)`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, action: 'delayed', status: '4.4.1', hard: false }],
  },
  {
    name: 'Gmail of today: refused for missing authentication',
    eml: parts(
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
        Subject: 'Delivery Status Notification (Failure)',
        'X-Failed-Recipients': 'anna@gmail.example',
      },
      part('text/plain', '** Message blocked **\n\nYour message to anna@gmail.example has been blocked.'),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; googlemail.com\n\nFinal-Recipient: rfc822; anna@gmail.example\nAction: failed\nStatus: 5.7.26\nDiagnostic-Code: smtp; 550-5.7.26 Your email has been blocked because the sender is unauthenticated.\n 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n 550 5.7.26  DKIM = did not pass`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: 'anna@gmail.example', status: '5.7.26', hard: false, cause: 'dmarc-spf-dkim' }],
  },
  {
    name: 'Postfix: two recipients, two outcomes',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender', 'Auto-Submitted': 'auto-replied' },
      `This is the mail system at host mx.provider.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<anna@customer.example>: host mx.customer.example[192.0.2.99] said: 550 5.1.1\n    <anna@customer.example>: Recipient address rejected: User unknown in local\n    recipient table (in reply to RCPT TO command)\n\n<ben@other.example>: host mx.other.example[192.0.2.98] said: 552 5.2.2\n    <ben@other.example>: Mailbox is full (in reply to RCPT TO command)`,
      `Reporting-MTA: dns; mx.provider.example\nX-Postfix-Queue-ID: 4XyZ123abc\nX-Postfix-Sender: rfc822; shop@example.org\nArrival-Date: Mon,  2 Nov 2026 10:00:00 +0000 (UTC)\n\nFinal-Recipient: rfc822; anna@customer.example\nOriginal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.customer.example\nDiagnostic-Code: smtp; 550 5.1.1 <anna@customer.example>: Recipient address\n    rejected: User unknown in local recipient table\n\nFinal-Recipient: rfc822; ben@other.example\nOriginal-Recipient: rfc822;ben@other.example\nAction: failed\nStatus: 5.2.2\nRemote-MTA: dns; mx.other.example\nDiagnostic-Code: smtp; 552 5.2.2 <ben@other.example>: Mailbox is full`,
    ),
    expected: [
      { address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' },
      { address: 'ben@other.example', status: '5.2.2', hard: false, cause: 'mailbox-full' },
    ],
  },
  {
    name: 'Postfix: a domain that does not exist',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender' },
      `<anna@customer.example>: Host or domain name not found. Name service error for\n    name=customer.example type=AAAA: Host not found`,
      `Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for\n    name=customer.example type=AAAA: Host not found`,
    ),
    expected: [{ address: anna, status: '5.4.4', hard: true, cause: 'bad-domain' }],
  },
  {
    name: 'Postfix: a domain that says it takes no mail (RFC 7505)',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender' },
      `<anna@customer.example>: Domain customer.example does not accept mail (nullMX)`,
      `Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.1.0\nDiagnostic-Code: X-Postfix; Domain customer.example does not accept mail (nullMX)`,
    ),
    expected: [{ address: anna, status: '5.1.0', hard: true, cause: 'bad-domain' }],
  },
  {
    name: 'Postfix: gave up after days',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender' },
      `<anna@customer.example>: connect to mx.customer.example[192.0.2.99]:25: Connection timed out`,
      `Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mx.customer.example[192.0.2.99]:25: Connection timed out`,
    ),
    expected: [{ address: anna, status: '4.4.1', hard: false, cause: 'remote-unreachable' }],
  },
  {
    name: 'Postfix: still being retried',
    eml: report(
      { Subject: 'Delayed Mail (still being retried)', 'Auto-Submitted': 'auto-replied' },
      `####################################################################\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n####################################################################\n\nYour message could not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n\n<anna@customer.example>: host mx.customer.example[192.0.2.99] said: 450 4.2.0\n    <anna@customer.example>: Recipient address rejected: Greylisted (in reply to RCPT TO command)`,
      `Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: delayed\nStatus: 4.2.0\nDiagnostic-Code: smtp; 450 4.2.0 <anna@customer.example>: Recipient address rejected: Greylisted\nWill-Retry-Until: Sat, 7 Nov 2026 10:00:00 +0000 (UTC)`,
    ),
    expected: [{ address: anna, action: 'delayed', status: '4.2.0', hard: false, cause: 'greylist' }],
  },
  {
    name: 'Postfix: relayed, as NOTIFY=SUCCESS asked for',
    eml: report(
      { Subject: 'Successful Mail Delivery Report' },
      `<anna@customer.example>: delivery via mx.customer.example[192.0.2.99]:25: 250 2.0.0 Ok: queued as 5AB`,
      `Reporting-MTA: dns; mx.provider.example\nOriginal-Envelope-Id: 0192f0c1-7a10\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: relayed\nStatus: 2.0.0\nDiagnostic-Code: smtp; 250 2.0.0 Ok: queued as 5AB`,
    ),
    expected: [{ address: anna, action: 'relayed', status: '2.0.0', hard: false }],
  },
  {
    name: 'Exchange: delivered, as NOTIFY=SUCCESS asked for',
    eml: report(
      { Subject: 'Delivered: Your order', From: 'postmaster@customer.example' },
      'Your message has been delivered to the following recipients:\n\nanna@customer.example',
      `Reporting-MTA: dns;EX01.customer.example\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: delivered\nStatus: 2.0.0`,
    ),
    expected: [{ address: anna, action: 'delivered', status: '2.0.0', hard: false }],
  },
  {
    name: 'Sendmail: expanded to a list',
    eml: report(
      { Subject: 'Return receipt', From: 'Mail Delivery Subsystem <MAILER-DAEMON@mx.customer.example>' },
      '   ----- The following addresses had successful delivery notifications -----\n<team@customer.example>  (expanded by mailing list)',
      `Reporting-MTA: dns; mx.customer.example\n\nFinal-Recipient: RFC822; team@customer.example\nAction: expanded (to multi-recipient alias)\nStatus: 2.1.5`,
    ),
    expected: [{ address: 'team@customer.example', action: 'expanded', status: '2.1.5', hard: false }],
  },
  {
    name: 'Sendmail: the field says x.0.0, the reply says more',
    eml: report(
      { Subject: 'Returned mail: see transcript for details', 'Auto-Submitted': 'auto-generated (failure)' },
      `   ----- The following addresses had permanent fatal errors -----\n<anna@customer.example>\n    (reason: 550 5.1.1 User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.customer.example.:\n>>> RCPT To:<anna@customer.example>\n<<< 550 5.1.1 User unknown\n550 5.1.1 <anna@customer.example>... User unknown`,
      `Reporting-MTA: dns; mail.provider.example\nReceived-From-MTA: DNS; relay.example.org\n\nFinal-Recipient: RFC822; anna@customer.example\nAction: failed\nStatus: 5.0.0\nRemote-MTA: DNS; mx.customer.example\nDiagnostic-Code: SMTP; 550 5.1.1 User unknown\nLast-Attempt-Date: Mon, 2 Nov 2026 10:00:04 GMT`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Exim 4.97: a status part without a diagnostic',
    eml: parts(
      {
        'X-Failed-Recipients': anna,
        'Auto-Submitted': 'auto-replied',
        Subject: 'Mail delivery failed: returning message to sender',
      },
      part(
        'text/plain; charset=us-ascii',
        `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@customer.example\n    host mx.customer.example [192.0.2.99]\n    SMTP error from remote mail server after RCPT TO:<anna@customer.example>:\n    550 No such user here`,
      ),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; mail.provider.example\n\nAction: failed\nFinal-Recipient: rfc822;anna@customer.example\nStatus: 5.0.0\nRemote-MTA: dns; mx.customer.example`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Exim: frozen after a router had no answer',
    eml: parts(
      { 'X-Failed-Recipients': anna, Subject: 'Mail delivery failed: returning message to sender' },
      part(
        'text/plain',
        `The following address(es) failed:\n\n  anna@customer.example\n    Unrouteable address`,
      ),
      part(
        'message/delivery-status',
        `Reporting-MTA: dns; mail.provider.example\n\nAction: failed\nFinal-Recipient: rfc822;anna@customer.example\nStatus: 5.0.0`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true }],
  },
  {
    name: 'Amazon SES: forwarded feedback',
    eml: report(
      { From: 'MAILER-DAEMON@eu-west-1.amazonses.com', Subject: 'Delivery Status Notification (Failure)' },
      'An error occurred while trying to deliver the mail to the following recipients:\nanna@customer.example',
      `Reporting-MTA: dns; a7-12.smtp-out.eu-west-1.amazonses.com\n\nAction: failed\nFinal-Recipient: rfc822; anna@customer.example\nDiagnostic-Code: smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS for customer.example>\nStatus: 4.4.7`,
    ),
    expected: [{ address: anna, status: '4.4.7', hard: false }],
  },
  {
    name: 'Amazon SES: on the account suppression list',
    eml: report(
      { From: 'MAILER-DAEMON@amazonses.com', Subject: 'Delivery Status Notification (Failure)' },
      'An error occurred while trying to deliver the mail to the following recipients:\nanna@customer.example',
      `Reporting-MTA: dns; amazonses.com\n\nAction: failed\nFinal-Recipient: rfc822; anna@customer.example\nDiagnostic-Code: Amazon SES did not send the message to this address because it is on the suppression list for your account.\nStatus: 5.1.1`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: false }],
  },
  {
    name: 'Mimecast: header manipulation policy',
    eml: report(
      { From: 'postmaster@eu-smtp-1.mimecast.example', Subject: '[Postmaster] Email Delivery Failure' },
      'This is a delivery failure notification message indicating that an email you addressed to email address :\n-- anna@customer.example\n\ncould not be delivered.',
      `Reporting-MTA: dns; eu-smtp-delivery-1.mimecast.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550 [abc]`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: false }],
  },
  {
    name: 'Proofpoint: blocked by reputation',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender' },
      '<anna@customer.example>: host mx0a-001.pphosted.example[192.0.2.50] refused to talk to me: 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7',
      `Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 4.0.0\nDiagnostic-Code: smtp; 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7`,
    ),
    expected: [{ address: anna, status: '4.0.0', hard: false }],
  },
  {
    name: 'Barracuda: blocked sender',
    eml: report(
      {
        Subject: '**Message you sent blocked by our bulk email filter**',
        From: 'Barracuda <postmaster@customer.example>',
      },
      'Your message to: anna@customer.example\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: Your order',
      `Reporting-MTA: dns; barracuda.customer.example\nReceived-From-MTA: smtp; relay.example.org ([192.0.2.7])\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 Message content rejected, UBE, id=12345-01`,
    ),
    expected: [{ address: anna, status: '5.7.1', hard: false, cause: 'spam-reject' }],
  },
  {
    name: 'Domino: not listed',
    eml: report(
      {
        From: 'Postmaster@customer.example',
        Subject: 'DELIVERY FAILURE: User anna (anna@customer.example) not listed in Domino Directory',
      },
      'Your message\n\n  Subject: Your order\n\nwas not delivered to:\n\n  anna@customer.example\n\nbecause:\n\n  User anna (anna@customer.example) not listed in Domino Directory',
      `Reporting-MTA: dns;notes.customer.example\n\nFinal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: X-Notes; User anna (anna@customer.example) not listed in Domino Directory`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Zoho of today',
    eml: report(
      {
        From: 'mailer-daemon@mail.zoho.com',
        Subject: 'Undelivered Mail Returned to Sender',
        'X-ZohoMail': 'Si',
      },
      'This message was created automatically by mail delivery software.\n A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\nanna@customer.example, ERROR CODE :550 - 5.1.1 <anna@customer.example>: Recipient address rejected: User unknown',
      `Reporting-MTA: dns; mx.zoho.com\n\nStatus: 550\nAction: failed\nFinal-Recipient: rfc822; anna@customer.example\nDiagnostic-Code: smtp; 550 5.1.1 <anna@customer.example>: Recipient address rejected: User unknown`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Open-Xchange and PrivateEmail: Postfix behind another name',
    eml: report(
      {
        From: 'MAILER-DAEMON@mta-09.privateemail.example (Mail Delivery System)',
        Subject: 'Undelivered Mail Returned to Sender',
      },
      'This is the mail system at host MTA-09.privateemail.example.\n\n<anna@customer.example>: host mx.customer.example[192.0.2.99] said: 550 5.7.1 Service unavailable, Client host [192.0.2.8] blocked using Spamhaus (in reply to RCPT TO command)',
      `Reporting-MTA: dns; MTA-09.privateemail.example\n\nFinal-Recipient: rfc822; anna@customer.example\nOriginal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 Service unavailable, Client host [192.0.2.8] blocked using Spamhaus`,
    ),
    expected: [{ address: anna, status: '5.7.1', hard: false, cause: 'ip-blocklist' }],
  },
  {
    name: 'Courier: in a part of its own kind',
    eml: report(
      {
        From: 'Mail Delivery System <postmaster@mail.customer.example>',
        Subject: 'NOTICE: mail delivery status.',
      },
      'This is a delivery status notification from mail.customer.example,\nrunning the Courier mail server, version 1.0.\n\nUNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<anna@customer.example>:\n    <<< 550 User unknown.',
      `Reporting-MTA: dns; mail.customer.example\nArrival-Date: Mon, 02 Nov 2026 10:00:01 +0000\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; localhost [127.0.0.1]\nDiagnostic-Code: smtp; 550 User unknown.`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'RFC 6533: an international address in a global report',
    eml: parts(
      {
        'Content-Type': 'multipart/report; report-type=global-delivery-status; boundary="=_x"',
        Subject: 'Undelivered Mail Returned to Sender',
      },
      part(
        'text/plain; charset=utf-8',
        '<jörg@customer.example>: host mx.customer.example said: 550 5.1.1 User unknown',
      ),
      part(
        'message/global-delivery-status; charset=utf-8',
        'Reporting-MTA: dns; mx.provider.example\n\nFinal-Recipient: utf-8; jörg@customer.example\nOriginal-Recipient: utf-8; j\\x{F6}rg@customer.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown',
        'Content-Transfer-Encoding: 8bit\n',
      ),
      part('message/global-headers', returnedHeader),
    ),
    expected: [{ address: 'jörg@customer.example', status: '5.1.1', hard: true }],
  },
  {
    name: 'A status part in base64, although that is forbidden',
    eml: parts(
      { Subject: 'Undeliverable' },
      part('text/plain', 'Delivery failed.'),
      part(
        'message/delivery-status',
        Buffer.from(
          'Reporting-MTA: dns; x.example\r\n\r\nFinal-Recipient: rfc822; anna@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown user\r\n',
        ).toString('base64'),
        'Content-Transfer-Encoding: base64\n',
      ),
      part('text/rfc822-headers', returnedHeader),
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'A forwarder: we wrote to one address, another failed',
    eml: report(
      { Subject: 'Undelivered Mail Returned to Sender' },
      '<anna.old@elsewhere.example>: 550 5.1.1 User unknown',
      `Reporting-MTA: dns; mx.customer.example\n\nFinal-Recipient: rfc822; anna.old@elsewhere.example\nOriginal-Recipient: rfc822;anna@customer.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true }],
  },
  {
    name: 'A complaint (RFC 5965)',
    eml: parts(
      {
        From: 'Feedback loop <fbl@mailbox.example>',
        Subject: 'FW: Your order',
        'Return-Path': '<fbl@mailbox.example>',
        'Content-Type': 'multipart/report; report-type=feedback-report; boundary="=_x"',
      },
      part('text/plain', 'This is an email abuse report.'),
      part(
        'message/feedback-report',
        'Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Mail-From: <shop@example.org>\nOriginal-Rcpt-To: <anna@customer.example>',
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, action: 'complaint', status: '', hard: false }],
  },
  {
    name: 'A complaint without the address, which the returned mail names',
    eml: parts(
      {
        From: 'staff@fbl.example',
        Subject: 'Email Feedback Report',
        'Return-Path': '<staff@fbl.example>',
        'Content-Type': 'multipart/report; report-type=feedback-report; boundary="=_x"',
      },
      part('text/plain', 'This is an email abuse report.'),
      part('message/feedback-report', 'Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1'),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, action: 'complaint', status: '', hard: false }],
  },
  {
    name: 'An alias resolved by hMailServer, in words and without a null sender',
    eml: plain(
      {
        From: 'mailer-daemon@mail.customer.example',
        Subject: 'Message undeliverable: Your order',
        'Return-Path': '',
      },
      `Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 02 Nov 2026 10:00:00 +0000\n   Subject: Your order\n\nThe following recipient(s) could not be reached:\n\nanna@customer.example\n   Error Type: SMTP\n   Remote server (192.0.2.99) issued an error.\n   hMailServer sent: RCPT TO:<anna@customer.example>\n   Remote server replied: 550 Unknown user\n\n\nhMailServer`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
];

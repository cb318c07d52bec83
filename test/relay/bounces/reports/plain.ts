// Reports in words only.
import { part, parts, plain, returnedHeader, returnedMail, type Sample } from './compose.ts';

const anna = 'anna@customer.example';

export const inWords: readonly Sample[] = [
  {
    name: 'qmail',
    eml: plain(
      { From: 'MAILER-DAEMON@mx.provider.example', Subject: 'failure notice' },
      `Hi. This is the qmail-send program at mx.provider.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<anna@customer.example>:\n192.0.2.99 does not like recipient.\nRemote host said: 550 5.1.1 <anna@customer.example>: User unknown\nGiving up on 192.0.2.99.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <shop@example.org>\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'qmail: no such host',
    eml: plain(
      { From: 'MAILER-DAEMON@mx.provider.example', Subject: 'failure notice' },
      `Hi. This is the qmail-send program at mx.provider.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<anna@customer.example>:\nSorry, I couldn't find any host named customer.example. (#5.1.2)\n\n--- Below this line is a copy of the message.\n\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.1.2', hard: true, cause: 'bad-domain' }],
  },
  {
    name: 'qmail: mailbox over quota, two addresses',
    eml: plain(
      { From: 'MAILER-DAEMON@mx.provider.example', Subject: 'failure notice' },
      `Hi. This is the qmail-send program at mx.provider.example.\n\n<anna@customer.example>:\nThe users mailfolder is over the allowed quota (size). (#5.2.2)\n\n<ben@customer.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\n${returnedMail}`,
    ),
    expected: [
      { address: anna, status: '5.2.2', hard: false, cause: 'mailbox-full' },
      { address: 'ben@customer.example', status: '5.1.1', hard: true, cause: 'user-unknown' },
    ],
  },
  {
    name: 'Exim of a web host, in words only',
    eml: plain(
      {
        From: 'Mail Delivery System <Mailer-Daemon@web1.provider.example>',
        'X-Failed-Recipients': anna,
        'Auto-Submitted': 'auto-replied',
        Subject: 'Mail delivery failed: returning message to sender',
      },
      `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@customer.example\n    SMTP error from remote mail server after end of data:\n    host mx.customer.example [192.0.2.99]: 554 5.7.1 [P4] Message blocked due to spam content in the message.\n\n------ This is a copy of the message, including all the headers. ------\n\nReturn-path: <shop@example.org>\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.7.1', hard: false, cause: 'spam-reject' }],
  },
  {
    name: 'Exim: a warning that it still tries',
    eml: plain(
      {
        From: 'Mail Delivery System <Mailer-Daemon@web1.provider.example>',
        'Auto-Submitted': 'auto-replied',
        Subject: 'Warning: message 1abcDE-0001xy-2K delayed 24 hours',
      },
      `This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on web1.provider.example.\n\nThe message identifier is:     1abcDE-0001xy-2K\nThe subject of the message is: Your order\nThe date of the message is:    Mon, 02 Nov 2026 10:00:00 +0000\n\nThe address to which the message has not yet been delivered is:\n\n  anna@customer.example\n    Delay reason: Connection timed out\n\nNo action is required on your part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the message\nremains undelivered.`,
    ),
    expected: [{ address: anna, action: 'delayed', status: '4.0.0', hard: false }],
  },
  {
    name: 'Exim: retry timeout exceeded',
    eml: plain(
      {
        From: 'Mail Delivery System <Mailer-Daemon@web1.provider.example>',
        'X-Failed-Recipients': anna,
        Subject: 'Mail delivery failed: returning message to sender',
      },
      `A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@customer.example\n    host mx.customer.example [192.0.2.99]\n    Connection timed out: retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: false, cause: 'remote-unreachable' }],
  },
  {
    name: 'Yahoo',
    eml: plain(
      { From: 'MAILER-DAEMON@yahoo.example', Subject: 'Failure Notice' },
      `Sorry, we were unable to deliver your message to the following address.\n\n<anna@customer.example>:\n554: delivery error: dd This user doesn't have a customer.example account (anna@customer.example) [0] - mta1.mail.example\n\n--- Below this line is a copy of the message.\n\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Gmail of old',
    eml: plain(
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
        Subject: 'Delivery Status Notification (Failure)',
        'X-Failed-Recipients': anna,
      },
      `Delivery to the following recipient failed permanently:\n\n     anna@customer.example\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the recipient domain. The error that the other server returned was: 550 550 5.1.1 <anna@customer.example>: Recipient address rejected: User unknown (state 14).\n\n----- Original message -----\n\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'IONOS and GMX',
    eml: plain(
      {
        From: 'Mail Delivery System <mailer-daemon@kundenserver.example>',
        Subject: 'Mail delivery failed: returning message to sender',
        'Auto-Submitted': 'auto-replied',
      },
      `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\nanna@customer.example:\nSMTP error from remote server for RCPT TO command, host: mx.customer.example (192.0.2.99) reason: 550 5.1.1 <anna@customer.example>: Recipient address rejected: User unknown in virtual mailbox table\n\n--- The header of the original message is following. ---\n\n${returnedHeader}`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Exchange 5.5 and 2003',
    eml: parts(
      {
        From: 'System Administrator <postmaster@customer.example>',
        Subject: 'Undeliverable: Your order',
        'Content-Type': 'multipart/mixed; boundary="=_x"',
      },
      part(
        'text/plain',
        `Your message\n\n  To:      anna@customer.example\n  Subject: Your order\n  Sent:    Mon, 2 Nov 2026 10:00:00 +0000\n\ndid not reach the following recipient(s):\n\nanna@customer.example on Mon, 2 Nov 2026 10:00:03 +0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=customer;l=EX0123456789\n    MSEXCH:IMS:CUSTOMER:SITE:EX 0 (000C05A6) Unknown Recipient`,
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'MDaemon',
    eml: plain(
      {
        From: 'MDaemon at customer.example <MDaemon@customer.example>',
        Subject: 'Warning: anna@customer.example - User unknown!',
      },
      `-----------------------------------------------------------\nThe attached message had PERMANENT fatal delivery errors!\n-----------------------------------------------------------\n\nAfter one or more unsuccessful delivery attempts the attached message has been\nremoved from the mail queue on this server.\n\nFailed address: anna@customer.example\n\n--- Session Transcript ---\n Mon 2026-11-02 10:00:02: <-- 250 OK\n Mon 2026-11-02 10:00:02: --> RCPT To:<anna@customer.example>\n Mon 2026-11-02 10:00:02: <-- 550 <anna@customer.example>, Recipient unknown\n--- End Transcript ---\n`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'IceWarp',
    eml: plain(
      { From: 'Mail System <mailer-daemon@mail.customer.example>', Subject: 'Mail delivery failed' },
      `Message could not be delivered to some recipients.\n\nThe following address(es) failed:\n\n<anna@customer.example>\n550 5.1.1 <anna@customer.example> User unknown; rejecting\n\n--- Header of the original message follows ---\n${returnedHeader}`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Symantec: a header of its own kind',
    eml: plain(
      { From: 'MAILER-DAEMON@messagelabs.example', Subject: 'Mail Delivery Failure', 'Return-Path': '<>' },
      `This is the mail delivery agent at messagelabs.com.\nI was unable to deliver your message to the following addresses:\n\nanna@customer.example\n\nReason: 550 Invalid recipient <anna@customer.example> (#5.1.1)\n\nThe message subject was: Your order\nThe message date was: Mon, 02 Nov 2026 10:00:00 +0000\nThe message identifier was: 00/00-00000-ABCDEF\nThe message reference was: server-1.tower-2.messagelabs.example!1234!1\n\nPlease do not reply to this email as it is sent from an unattended mailbox.`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true }],
  },
  {
    name: 'OpenSMTPD: expired',
    eml: plain(
      {
        From: 'Mailer Daemon <MAILER-DAEMON@mail.provider.example>',
        Subject: 'Delivery status notification: error',
      },
      `    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nanna@customer.example: Envelope expired\n\n    Below is a copy of the original message:\n\n${returnedMail}`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: false, cause: 'remote-unreachable' }],
  },
  {
    name: 'A web mailer that wraps the address in a link, as HTML only',
    eml: plain(
      {
        From: 'Mail Delivery Subsystem <mailer-daemon@mail.provider.example>',
        Subject: 'Undeliverable: Your order',
        'Content-Type': 'text/html; charset=utf-8',
      },
      '<html><body><p>Delivery has failed to these recipients:</p><p><a href="mailto:anna@customer.example">anna@customer.example</a><br>The email address you entered couldn\'t be found.</p><p>Remote server returned: 550 5.1.1 User unknown</p></body></html>',
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'A 163.com-like report in Chinese',
    eml: plain(
      { From: 'Postmaster@mail.example', Subject: '=?utf-8?B?57O757uf6YCA5L+h?=', 'Return-Path': '<>' },
      `抱歉，您的邮件被退回来了……\n\n收件人：anna@customer.example\n退信原因：收件人邮箱地址不存在\n\nSMTP error, RCPT TO: Host customer.example(192.0.2.99) said 550 User not found: anna@customer.example`,
    ),
    expected: [{ address: anna, status: '5.0.0', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'A French server, known by its header alone',
    eml: plain(
      {
        From: 'Mailer-Daemon@mx.provider.example',
        Subject: 'Message non distribué',
        'X-Failed-Recipients': anna,
      },
      `Bonjour,\n\nvotre message n'a pas pu être remis :\n\n  anna@customer.example\n    550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient.`,
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true }],
  },
  {
    name: 'A test mail to oneself that came back',
    eml: plain(
      { From: 'MAILER-DAEMON@mx.provider.example', Subject: 'failure notice' },
      `I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<shop@example.org>:\nRemote host said: 552 5.2.2 mailbox full\n\n--- Below this line is a copy of the message.\n\n${returnedMail}`,
    ),
    expected: [{ address: 'shop@example.org', status: '5.2.2', hard: false, cause: 'mailbox-full' }],
  },
  {
    name: 'Amazon SNS: a bounce as JSON',
    eml: plain(
      {
        From: 'no-reply@sns.amazonaws.com',
        Subject: 'AWS Notification Message',
        'Return-Path': '<x@amazonses.example>',
      },
      JSON.stringify({
        notificationType: 'Bounce',
        bounce: {
          bounceType: 'Permanent',
          bounceSubType: 'General',
          bouncedRecipients: [
            {
              emailAddress: anna,
              action: 'failed',
              status: '5.1.1',
              diagnosticCode: 'smtp; 550 5.1.1 user unknown',
            },
          ],
        },
        mail: { messageId: '0102', destination: [anna], commonHeaders: { messageId: '<m1@example.org>' } },
      }),
    ),
    expected: [{ address: anna, status: '5.1.1', hard: true, cause: 'user-unknown' }],
  },
  {
    name: 'Amazon SNS: a complaint as JSON',
    eml: plain(
      {
        From: 'no-reply@sns.amazonaws.com',
        Subject: 'AWS Notification Message',
        'Return-Path': '<x@amazonses.example>',
      },
      JSON.stringify({
        Type: 'Notification',
        Message: JSON.stringify({
          notificationType: 'Complaint',
          complaint: { complainedRecipients: [{ emailAddress: anna }], complaintFeedbackType: 'abuse' },
          mail: { messageId: '0102', commonHeaders: { messageId: '<m1@example.org>' } },
        }),
      }),
    ),
    expected: [{ address: anna, action: 'complaint', status: '', hard: false }],
  },
];

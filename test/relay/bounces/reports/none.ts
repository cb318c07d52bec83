// Mail that is no report, however much it looks like one.
import { part, parts, plain, returnedMail, type Sample } from './compose.ts';

const person = { From: 'Anna <anna@customer.example>', 'Return-Path': '<anna@customer.example>' };
const none: Sample['expected'] = [];

const quoted = `<ben@other.example>: host mx.other.example[192.0.2.98] said: 550 5.1.1 User unknown`;

export const noReports: readonly Sample[] = [
  {
    name: 'ordinary mail',
    eml: plain({ ...person, Subject: 'Question' }, 'When does my order arrive?'),
    expected: none,
  },
  {
    name: 'ordinary mail that speaks of a failed delivery',
    eml: plain(
      { ...person, Subject: 'Delivery failed!' },
      'Your courier could not deliver my parcel. Please call me or write to anna@work.example.',
    ),
    expected: none,
  },
  {
    name: 'a person who quotes a bounce',
    eml: plain(
      { ...person, Subject: 'Re: Undelivered Mail Returned to Sender', 'In-Reply-To': '<r@mx.example>' },
      `What does this mean?\n\n> This is the mail system at host mx.provider.example.\n> ${quoted}`,
    ),
    expected: none,
  },
  {
    name: 'a person who forwards a bounce in the text',
    eml: plain(
      { ...person, Subject: 'Fwd: Undelivered Mail Returned to Sender' },
      `---------- Forwarded message ---------\nFrom: Mail Delivery System <MAILER-DAEMON@mx.provider.example>\nSubject: Undelivered Mail Returned to Sender\n\n${quoted}`,
    ),
    expected: none,
  },
  {
    name: 'a person who forwards a bounce as an attachment',
    eml: parts(
      { ...person, Subject: 'Fwd: Undelivered', 'Content-Type': 'multipart/mixed; boundary="=_x"' },
      part('text/plain', 'See attached.'),
      part(
        'message/rfc822',
        `From: MAILER-DAEMON@mx.provider.example\nSubject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary="y"\n\n--y\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; ben@other.example\nAction: failed\nStatus: 5.1.1\n\n--y--`,
      ),
    ),
    expected: none,
  },
  {
    name: 'out of office, with the null sender',
    eml: plain(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Automatic reply: Your order',
        'Auto-Submitted': 'auto-replied',
        'X-Auto-Response-Suppress': 'All',
      },
      'I am out of the office until Monday. In urgent cases write to ben@customer.example.',
    ),
    expected: none,
  },
  {
    name: 'out of office in German',
    eml: plain(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Automatische Antwort: Ihre Bestellung',
        'Auto-Submitted': 'auto-generated',
      },
      'Ich bin bis Montag nicht im Büro. Ihre Nachricht wird nicht weitergeleitet. Vertretung: ben@customer.example',
    ),
    expected: none,
  },
  {
    name: 'no longer with the company',
    eml: plain(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Re: Your order',
        'Auto-Submitted': 'auto-replied',
        'In-Reply-To': '<0192f0c1@example.org>',
      },
      'Anna is no longer with the company. This message could not be delivered to her. Please write to ben@customer.example.',
    ),
    expected: none,
  },
  {
    name: 'a vacation answer by sieve',
    eml: plain(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Auto: Your order',
        'Auto-Submitted': 'auto-replied (vacation)',
      },
      'I am on vacation.',
    ),
    expected: none,
  },
  {
    name: 'a read receipt (RFC 8098)',
    eml: parts(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Read: Your order',
        'Content-Type': 'multipart/report; report-type=disposition-notification; boundary="=_x"',
      },
      part('text/plain', 'Your message was read on Monday.'),
      part(
        'message/disposition-notification',
        'Reporting-UA: mail.customer.example\nFinal-Recipient: rfc822;anna@customer.example\nOriginal-Message-ID: <0192f0c1@example.org>\nDisposition: manual-action/MDN-sent-manually; displayed',
      ),
    ),
    expected: none,
  },
  {
    name: 'a receipt: deleted without being read',
    eml: parts(
      {
        ...person,
        'Return-Path': '<>',
        Subject: 'Not read: Your order',
        'Content-Type': 'multipart/report; report-type=disposition-notification; boundary="=_x"',
      },
      part('text/plain', 'Your message was deleted without being read.'),
      part(
        'message/disposition-notification',
        'Final-Recipient: rfc822;anna@customer.example\nDisposition: automatic-action/MDN-sent-automatically; deleted',
      ),
    ),
    expected: none,
  },
  {
    name: 'a DMARC aggregate report',
    eml: parts(
      {
        From: 'noreply-dmarc-support@google.example',
        'Return-Path': '<noreply-dmarc-support@google.example>',
        Subject: 'Report domain: example.org Submitter: google.example Report-ID: 1',
        'Content-Type': 'multipart/mixed; boundary="=_x"',
      },
      part(
        'application/zip; name="google.example!example.org!1!2.zip"',
        'UEsDBAoAAAAA',
        'Content-Transfer-Encoding: base64\n',
      ),
    ),
    expected: none,
  },
  {
    name: 'a TLS report (RFC 8460)',
    eml: parts(
      {
        From: 'noreply-smtp-tls-reporting@google.example',
        'Return-Path': '<noreply-smtp-tls-reporting@google.example>',
        Subject: 'Report Domain: example.org',
        'Content-Type': 'multipart/report; report-type="tlsrpt"; boundary="=_x"',
      },
      part('text/plain', 'This is an aggregate TLS report from google.example'),
      part('application/tlsrpt+gzip', 'H4sIAAAAAAAA', 'Content-Transfer-Encoding: base64\n'),
    ),
    expected: none,
  },
  {
    name: 'feedback that it was no spam after all',
    eml: parts(
      {
        From: 'fbl@mailbox.example',
        'Return-Path': '<fbl@mailbox.example>',
        Subject: 'Not spam',
        'Content-Type': 'multipart/report; report-type=feedback-report; boundary="=_x"',
      },
      part('text/plain', 'not spam'),
      part(
        'message/feedback-report',
        'Feedback-Type: not-spam\nVersion: 1\nOriginal-Rcpt-To: anna@customer.example',
      ),
      part('message/rfc822', returnedMail),
    ),
    expected: none,
  },
  {
    name: 'a quota warning to our own mailbox',
    eml: plain(
      {
        From: 'postmaster@provider.example',
        'Return-Path': '<postmaster@provider.example>',
        Subject: 'Your mailbox is almost full',
      },
      'Your mailbox shop@example.org has reached 95 % of its quota.',
    ),
    expected: none,
  },
  {
    name: 'a newsletter of a postmaster',
    eml: plain(
      {
        From: 'Postmaster <postmaster@provider.example>',
        'Return-Path': '<news@provider.example>',
        Subject: 'Planned maintenance',
      },
      'On Sunday mail will be delivered later than usual. Questions: support@provider.example',
    ),
    expected: none,
  },
  {
    name: 'a challenge (confirm that you are a person)',
    eml: plain(
      {
        From: 'anna@customer.example',
        'Return-Path': '<>',
        Subject: 'Please confirm your message to anna@customer.example',
        'Auto-Submitted': 'auto-replied',
      },
      'Your message is waiting. Click here so that it is delivered.',
    ),
    expected: none,
  },
  { name: 'nothing at all', eml: '', expected: none },
];

import { expect, test } from 'vitest';
import { imapHostOf } from '../../../relay/mailbox/imap-hosts.ts';

test.each([
  ['mail.privateemail.com', 'mail.privateemail.com'],
  ['smtp.office365.com', 'outlook.office365.com'],
  ['smtp-mail.outlook.com', 'outlook.office365.com'],
  ['smtp.gmail.com', 'imap.gmail.com'],
  ['smtp.zoho.eu', 'imap.zoho.eu'],
  ['smtppro.zoho.com', 'imappro.zoho.com'],
  ['smtp.hostinger.com', 'imap.hostinger.com'],
  ['smtp.titan.email', 'imap.titan.email'],
  ['smtp.fastmail.com', 'imap.fastmail.com'],
  ['smtp.mail.me.com', 'imap.mail.me.com'],
  ['smtp.ionos.de', 'imap.ionos.de'],
  ['ssl0.mail.ovh.net', 'ssl0.ovh.net'],
  ['smtp.yandex.ru', 'imap.yandex.ru'],
  ['email-smtp.eu-west-1.amazonaws.com', undefined],
  ['smtp.gmail.com.evil.example', undefined],
  ['', undefined],
])('the mailbox of %s is read at %s', (smtpHost, host) => {
  expect(imapHostOf(smtpHost)).toBe(host);
});

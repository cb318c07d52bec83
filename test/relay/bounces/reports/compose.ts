// Puts reports together the way mail systems do. All of them are made up; the forms are those of the servers they name.

/** What must be read: one entry for every recipient. */
export type Expected = {
  readonly address: string;
  readonly action?: string;
  readonly status: string;
  readonly hard?: boolean;
  readonly cause?: string;
};

export type Sample = { readonly name: string; readonly eml: string; readonly expected: readonly Expected[] };

type Fields = Readonly<Record<string, string>>;

const ours = `Received: from relay.example.org (relay.example.org [192.0.2.7])
 by smtp.provider.example with ESMTPSA id 9A1B2C3D4E; Mon, 02 Nov 2026 10:00:00 +0000
Message-ID: <0192f0c1-7a10-7abc-8def-001122334455@example.org>
From: Shop <shop@example.org>
To: anna@customer.example
Subject: Your order
Date: Mon, 02 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8`;

/** A mail of ours as a report returns it. */
export const returnedMail = `${ours}\n\nThank you for your order.\n`;
export const returnedHeader = ours;

const header = (fields: Fields): string =>
  Object.entries({
    From: 'Mail Delivery System <MAILER-DAEMON@mx.customer.example>',
    To: 'shop@example.org',
    Date: 'Mon, 02 Nov 2026 10:00:05 +0000',
    'Message-ID': '<report.1@mx.customer.example>',
    ...fields,
  })
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');

/** A report in words only. */
export const plain = (fields: Fields, text: string): string =>
  `${header({ 'Return-Path': '<>', 'Content-Type': 'text/plain; charset=utf-8', ...fields })}\n\n${text}\n`;

export const part = (type: string, content: string, more = ''): string =>
  `Content-Type: ${type}\n${more}\n${content}`;

export const parts = (fields: Fields, ...contents: readonly string[]): string =>
  `${header({ 'Return-Path': '<>', 'MIME-Version': '1.0', 'Content-Type': 'multipart/report; report-type=delivery-status; boundary="=_x"', ...fields })}\n\n${contents
    .map((content) => `--=_x\n${content}\n`)
    .join('')}--=_x--\n`;

/** RFC 6522: words, the part for machines, and the returned mail. */
export const report = (
  fields: Fields,
  words: string,
  status: string,
  returned: string = returnedMail,
): string =>
  parts(
    fields,
    part('text/plain; charset=utf-8', words),
    part('message/delivery-status', status),
    part('message/rfc822', returned),
  );

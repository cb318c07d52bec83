// The subject of submitted mail, in words.
import { expect, test } from 'vitest';
import { readHeader } from '../../../relay/submission/header.ts';
import { subjectOf } from '../../../relay/submission/subject.ts';

test.each([
  ['Subject: Your receipt', 'Your receipt'],
  ['Subject: Your\r\n receipt', 'Your receipt'],
  ['Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_an?=\r\n =?utf-8*de?B?IGFsbGU=?= 2026', 'Grüße an alle 2026'],
  ['Subject: =?iso-8859-1?q?caf=E9?=', 'café'],
  ['Subject: =?x-unknown?q?a?= b', '=?x-unknown?q?a?= b'],
  ['Subject: a\0b\tc', 'a b c'],
  ['Subject: Grüße', 'Grüße'],
  ['Subject:', ''],
  ['From: ann@example.com', undefined],
  [`Subject: ${'x'.repeat(900)}`, 'x'.repeat(500)],
])('%j', (header, words) => {
  const bytes = Buffer.from(`${header}\r\n\r\nSubject: of the body`);
  const reading = readHeader(bytes, true);
  expect(subjectOf(bytes, reading.state === 'complete' ? reading.fields : [])).toBe(words);
});

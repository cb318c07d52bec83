// By what a report names the mail it is about.
import { expect, test } from 'vitest';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { part, parts, plain, report, returnedHeader, returnedMail } from './reports/compose.ts';

const ours = '0192f0c1-7a10-7abc-8def-001122334455@example.org';
const status =
  'Reporting-MTA: dns; x.example\nOriginal-Envelope-Id: E1\n\nFinal-Recipient: rfc822; anna@customer.example\nAction: failed\nStatus: 5.1.1\n';

const returnedIn = async (eml: string) => {
  const reading = await readReport(Buffer.from(eml));
  return reading.outcome === 'report' ? reading.returned : undefined;
};

test.each([
  ['a returned mail', report({}, 'failed', status)],
  [
    'a returned header',
    parts(
      {},
      part('text/plain', 'failed'),
      part('message/delivery-status', status),
      part('text/rfc822-headers', returnedHeader),
    ),
  ],
  [
    'a returned international header (RFC 6533)',
    parts({}, part('message/delivery-status', status), part('message/global-headers', returnedHeader)),
  ],
])('%s tells the Message-ID, the ids on the way and the envelope id', async (_, eml) => {
  expect(await returnedIn(eml)).toEqual({
    messageIds: [ours],
    queueIds: ['9A1B2C3D4E'],
    addressedIds: [],
    envelopeId: 'E1',
  });
});

test('a copy behind the words tells it, too', async () => {
  const eml = plain(
    {},
    `<anna@customer.example>:\n550 5.1.1 User unknown\n\n--- Below this line is a copy of the message.\n\n${returnedMail}`,
  );
  expect(await returnedIn(eml)).toMatchObject({ messageIds: [ours] });
});

test('an id that a server put in the place of ours stands behind ours', async () => {
  const replaced = `Message-ID: <new@prod.outlook.example>\nX-Microsoft-Original-Message-ID: <${ours}>\n\n`;
  expect((await returnedIn(report({}, 'failed', status, replaced)))?.messageIds).toEqual([
    'new@prod.outlook.example',
    ours,
  ]);
});

test('the id in the part for machines counts where nothing is returned', async () => {
  const eml = parts(
    {},
    part('text/plain', 'failed'),
    part('message/delivery-status', `X-Original-Message-ID: <${ours}>\n\n${status}`),
  );
  expect((await returnedIn(eml))?.messageIds).toEqual([ours]);
});

test("the report's own Message-ID is nobody's", async () => {
  const eml = parts(
    { 'Message-ID': `<${ours}>` },
    part('text/plain', 'failed'),
    part('message/delivery-status', status),
  );
  expect((await returnedIn(eml))?.messageIds).toEqual([]);
});

// What a delivery report puts onto the suppression list, with the rights that the relay has in the database.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../deploy/database.ts';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { recordReport } from '../../../relay/bounces/record-report.ts';
import type { Suppressed } from '../../../relay/bounces/suppress-reported.ts';
import { eraseRecipient } from '../../../relay/client/erasure/erase.ts';
import { addSuppression, findSuppression } from '../../../relay/client/suppression/suppression.ts';
import { urlOfProcess } from '../../kit/database.ts';
import { startPostern, type TestPostern } from '../client/postern.ts';
import { failed, reportAbout, taken } from './mail-of-ours.ts';

let postern: TestPostern;
let relay: Database;
beforeAll(async () => {
  postern = await startPostern();
  relay = openDatabase({ url: urlOfProcess(postern.db.url, 'relay'), applicationName: 'test', max: 2 });
});
afterEach(() => postern.db.query('delete from suppression'));
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await postern[Symbol.asyncDispose]();
});

const disabled = 'Action: failed\nStatus: 5.2.1\nDiagnostic-Code: smtp; 550 5.2.1 mailbox is disabled';
const full = 'Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox is full';

/** A mail to these addresses that was sent, and what a report about the first of them puts onto the list. */
async function report(addresses: readonly string[], fields = failed) {
  const mail = await taken(
    postern,
    addresses.map((address) => ({ status: 'sent', marked: true, address })),
  );
  const bytes = reportAbout(`Message-ID: ${mail.messageId}`, fields, addresses[0]);
  const reading = await readReport(bytes);
  if (reading.outcome === 'none') throw new Error('no report');
  const recorded = await recordReport(relay, bytes, reading);
  if (recorded.outcome === 'known') throw new Error('read before');
  return { ...mail, suppressed: recorded.suppressed };
}

const aDayPasses = () =>
  postern.db.query(
    `update recipient set bounced_at = bounced_at - interval '25 hours' where bounced_at is not null`,
  );

const nobody: Suppressed = { added: [], withheld: 0, isNews: false };

test('one that can come from nobody else: the address, with the evidence', async () => {
  const { id, queueId, suppressed } = await report(['Ann@example.com']);
  expect(suppressed).toEqual({ ...nobody, added: ['bounce'] });
  expect(await findSuppression(postern.database, 'ann@EXAMPLE.com')).toMatchObject({
    ...{ address: 'Ann@example.com', reason: 'bounce', cause: 'user-unknown', sourceEmailId: id },
    ...{ reply: '550 5.1.1 no such user', expiresAt: null },
  });
  const { rows } = await postern.db.query('select source, source_queue_id from suppression');
  expect(rows).toEqual([{ source: 'report', source_queue_id: queueId }]);
});

test('one that another reader of the mail may have invented: nobody, until the same happens a day later', async () => {
  const both = ['ben@example.com', 'cleo@example.com'];
  expect((await report(both)).suppressed).toEqual(nobody);
  // The same day.
  expect((await report(both)).suppressed).toEqual(nobody);
  await aDayPasses();
  expect((await report(both)).suppressed.added).toEqual(['bounce']);
  expect(await findSuppression(postern.database, 'cleo@example.com')).toBeUndefined();
});

test('a disabled mailbox: the second time; a full one never', async () => {
  expect((await report(['dan@example.com'], disabled)).suppressed).toEqual(nobody);
  expect((await report(['eve@example.com'], full)).suppressed).toEqual(nobody);
  await aDayPasses();
  expect((await report(['eve@example.com'], full)).suppressed).toEqual(nobody);
  // That it was full says nothing about whether it is there.
  expect((await report(['eve@example.com'], disabled)).suppressed).toEqual(nobody);
  expect((await report(['dan@example.com'], disabled)).suppressed.added).toEqual(['bounce']);
});

test('an entry that stands stays as it is, also that of an erased person', async () => {
  await addSuppression(postern.database, { address: 'fay@example.com', reason: 'unsubscribe' });
  expect((await report(['fay@example.com'])).suppressed).toEqual(nobody);
  expect(await findSuppression(postern.database, 'fay@example.com')).toMatchObject({ reason: 'unsubscribe' });

  await addSuppression(postern.database, { address: 'gus@example.com', reason: 'manual' });
  await postern.database.transaction((tx) => eraseRecipient(tx, 'gus@example.com', 'ann'));
  expect((await report(['gus@example.com'])).suppressed).toEqual(nobody);
  const { rows } = await postern.db.query(`select 1 from suppression where address like 'gus%'`);
  expect(rows).toEqual([]);
});

test("an erased person's earlier bounce is nobody's", async () => {
  await report(['hal@example.com', 'ida@example.com'], disabled);
  await aDayPasses();
  await postern.database.transaction((tx) => eraseRecipient(tx, 'hal@example.com', 'ann'));
  expect((await report(['hal@example.com', 'ida@example.com'], disabled)).suppressed).toEqual(nobody);
});

test('not more than 50 within an hour, and one word about those above it', async () => {
  for (let n = 0; n < 49; n++)
    await addSuppression(postern.database, { address: `n${n}@example.com`, reason: 'bounce' });
  await postern.db.query(`update suppression set source = 'report'`);
  expect((await report(['jan@example.com'])).suppressed.added).toEqual(['bounce']);
  const { id, suppressed } = await report(['kim@example.com']);
  expect(suppressed).toEqual({ added: [], withheld: 1, isNews: true });
  const { rows } = await postern.db.query('select status from email where id = $1', [id]);
  expect(rows).toEqual([{ status: 'bounced' }]);
  expect((await report(['leo@example.com'])).suppressed).toEqual({ added: [], withheld: 1, isNews: false });
  await postern.db.query(`update suppression set created_at = created_at - interval '61 minutes'`);
  expect((await report(['max@example.com'])).suppressed.added).toEqual(['bounce']);
});

test('the relay may add its own recipients for what a mail has shown, and nothing else', async () => {
  const { queueId } = await taken(postern, [{ status: 'sent', address: 'ned@example.com' }]);
  const add = (queue: string, reason: string) =>
    relay.query<{ outcome: string }>(
      `select suppress_recipient($1, 0::smallint, array['ned@example.com'], $2, null, null, 'reply', false, null) as outcome`,
      [queue, reason],
    );
  await expect(add(queueId, 'manual')).rejects.toThrow(/bounces and complaints only/);
  expect((await add('none', 'bounce')).rows).toEqual([{ outcome: 'nobody' }]);
  await expect(relay.query('select address from suppression')).rejects.toThrow(/permission denied/);
  await expect(relay.query('delete from suppression')).rejects.toThrow(/permission denied/);
});

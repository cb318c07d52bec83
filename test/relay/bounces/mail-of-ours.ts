// Mail of ours in the database, and reports about it.
import { readEmail } from '../../../relay/client/email/row.ts';
import { acceptAs, insert, type TestPostern } from '../client/postern.ts';
import { report } from './reports/compose.ts';

export const address = 'r0@example.com';

export const failed = 'Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user';

/** A report whose returned mail has this header. */
export const reportAbout = (header: string, fields = failed, to = address): Buffer =>
  Buffer.from(
    report(
      { Subject: 'Undelivered' },
      'failed',
      `Final-Recipient: rfc822; ${to}\n${fields}\n`,
      `${header}\n\nHello\n`,
    ),
  );

/** An email of the API as the relay took it. */
export async function taken(postern: TestPostern, recipients: Parameters<typeof acceptAs>[2]) {
  const { id } = await insert(postern.database);
  const queueId = await acceptAs(postern, id, recipients);
  await postern.db.query(
    'update message set message_id = (select message_id from email where id = $1) where queue_id = $2',
    [id, queueId],
  );
  return { id, queueId, messageId: (await readEmail(postern.database, id))?.messageId ?? '' };
}

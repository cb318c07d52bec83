// Text beyond ASCII: addresses in other scripts (RFC 6531) and 8-bit text (RFC 6152) are carried by a provider that
// offers it, and refused by us for one that does not.
import { expect, test } from 'vitest';
import { freshDatabase } from '../../kit/database.ts';
import { startProvider } from '../../kit/provider.ts';
import { environmentFor, openWayOut, queueMail, recipientsOf, settled } from './way-out.ts';

test('an address in another script goes out with SMTPUTF8', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const { queueId } = await queueMail(database.query, { to: ['böb@example.net'] });
  expect(await settled(database.query, queueId)).toMatchObject({ status: 'sent' });
  expect(provider.commands().filter((line) => line.startsWith('MAIL'))).toEqual([
    expect.stringMatching(/^MAIL FROM:<mailer@example\.com> SMTPUTF8\b/),
  ]);
  expect(provider.messages[0]?.envelope.recipients).toEqual(['böb@example.net']);
});

test('a provider without SMTPUTF8 never sees it, and the others of the same mail get theirs', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider({ capabilities: { smtpUtf8: false } });
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const to = ['böb@example.net', 'ann@example.org'];
  const { queueId } = await queueMail(database.query, { to });
  await settled(database.query, queueId, ['sent', 'bounced']);
  expect(await recipientsOf(database.query, queueId)).toMatchObject([
    { status: 'bounced', reason: 'smtputf8' },
    { status: 'sent' },
  ]);
  expect(provider.messages[0]?.envelope.recipients).toEqual(['ann@example.org']);

  const { queueId: fromThere } = await queueMail(database.query, { from: 'mäiler@example.com' });
  expect(await settled(database.query, fromThere)).toMatchObject({ status: 'bounced', reason: 'smtputf8' });
  // The route is not to blame, and goes on.
  const next = await queueMail(database.query);
  expect(await settled(database.query, next.queueId)).toMatchObject({ status: 'sent' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what ASCII is
  expect(provider.commands().filter((line) => /[^\x00-\x7f]/.test(line))).toEqual([]);
});

test('8-bit text goes to a provider with 8BITMIME only, and 7-bit text to every one', async () => {
  await using database = await freshDatabase();
  await using provider = await startProvider();
  await using _ = await openWayOut(database.url, environmentFor(provider));
  const content = 'Message-ID: <8bit@test.example>\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n';
  const first = await queueMail(database.query, { content });
  expect(await settled(database.query, first.queueId)).toMatchObject({ status: 'sent' });
  expect(provider.commands().find((line) => line.startsWith('MAIL'))).toContain('BODY=8BITMIME');

  provider.capabilities.eightBitMime = false;
  provider.hangUp();
  const refused = await queueMail(database.query, { content, to: ['ann@example.org', 'bob@example.org'] });
  await settled(database.query, refused.queueId, ['bounced']);
  expect(await recipientsOf(database.query, refused.queueId)).toMatchObject([
    { status: 'bounced', reason: 'eight-bit' },
    { status: 'bounced', reason: 'eight-bit' },
  ]);
  const plain = await queueMail(database.query, { eightBit: false });
  expect(await settled(database.query, plain.queueId)).toMatchObject({ status: 'sent' });
  expect(provider.copiesOf('8bit@test.example')).toHaveLength(1);
});

// What the doctor says of the mailbox for delivery reports, with a real Dovecot.
import { afterAll, beforeAll, expect, describe as group, test } from 'vitest';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { recordReport } from '../../../relay/bounces/record-report.ts';
import { describe } from '../../../relay/doctor/describe.ts';
import { examine } from '../../../relay/doctor/examine.ts';
import { lookAtMailbox } from '../../../relay/doctor/look-at-mailbox.ts';
import { detectPlatform } from '../../../relay/doctor/platform.ts';
import { readSettings } from '../../../relay/doctor/settings.ts';
import { type Dovecot, startDovecot, whyNoDovecot } from '../../kit/dovecot.ts';
import { freePort } from '../../kit/ports.ts';
import { reportAbout, taken } from '../bounces/mail-of-ours.ts';
import { startPostern, type TestPostern } from '../client/postern.ts';

const absent = await whyNoDovecot();

group.skipIf(absent)('the doctor and the mailbox', () => {
  let dovecot: Dovecot;
  let postern: TestPostern;
  beforeAll(async () => {
    [dovecot, postern] = await Promise.all([startDovecot(), startPostern()]);
  });
  afterAll(async () => {
    await dovecot?.[Symbol.asyncDispose]();
    await postern?.[Symbol.asyncDispose]();
  });

  async function consult(changes: Record<string, string> = {}) {
    const source = {
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: '1',
      SMTP_USER: 'mailer@example.com',
      SMTP_PASSWORD: 'another-password',
      SMTP_FROM_EMAIL: 'mailer@example.com',
      SMTP_CA_FILE: dovecot.caFile,
      BOUNCE_IMAP_HOST: '127.0.0.1',
      BOUNCE_IMAP_PORT: String(dovecot.port),
      BOUNCE_IMAP_PASSWORD: dovecot.password,
      ...changes,
    };
    const platform = detectPlatform(source, { inContainer: false });
    const reading = readSettings(source, platform.id);
    const mailbox = lookAtMailbox(reading, { tokens: undefined, database: postern.database });
    const examination = await examine({ reading, platform, controls: false, mailbox });
    const text = describe(examination, { colour: false });
    return { mailbox: examination.mailbox, lines: text.slice(text.indexOf('Mailbox for')).split('\n') };
  }

  const outcomes = (mailbox: Awaited<ReturnType<typeof consult>>['mailbox']) =>
    mailbox?.steps.map(({ step, outcome }) => `${step} ${outcome}`);

  test('names what would be read, and what reports changed nothing and why', async () => {
    const mail = await taken(postern, [{ status: 'sent', marked: true }]);
    const reports = [
      reportAbout('Message-ID: <nobody@example.org>'),
      reportAbout('Subject: Hello'),
      reportAbout(`Message-ID: ${mail.messageId}`, undefined, 'stranger@example.net'),
      reportAbout(`Message-ID: ${mail.messageId}`, undefined, 'other@example.net'),
    ];
    for (const bytes of reports) {
      const reading = await readReport(bytes);
      if (reading.outcome === 'none') throw new Error('These are reports');
      await recordReport(postern.database, bytes, reading);
    }
    const { mailbox, lines } = await consult();
    expect(mailbox).toMatchObject({
      ok: true,
      cause: null,
      reading: { state: 'starting', lastLookAt: null },
    });
    expect(outcomes(mailbox)).toEqual(['connect passed', 'login passed', 'folders passed']);
    expect(mailbox?.steps[2]?.says).toBe('INBOX, Junk');
    const counted = mailbox?.reading?.withoutEffect.map(({ why, count }) => `${why} ${count}`);
    expect(counted?.sort()).toEqual(['mail-unknown 1', 'no-id 1', 'recipient-unknown 2']);
    expect(counted?.length).toBe(3);
    expect(lines.filter((line) => line.includes('running relays: starting, no look yet'))).toHaveLength(1);
    expect(lines.join('\n')).toMatch(/changed nothing in 14 days: 2 unmatched \(recipient-unknown\)/);
  });

  test.each([
    ['imap-sign-in', { BOUNCE_IMAP_PASSWORD: 'wrong-horse-battery' }, ['passed', 'failed', 'not reached']],
    ['imap-folder', { BOUNCE_IMAP_FOLDERS: 'INBOX,Attic' }, ['passed', 'passed', 'failed']],
    ['imap-unreachable', { BOUNCE_IMAP_PORT: 'free' }, ['failed', 'not reached', 'not reached']],
  ])('%s', async (cause, changes: Record<string, string>, expected) => {
    if (changes.BOUNCE_IMAP_PORT === 'free') changes.BOUNCE_IMAP_PORT = String(await freePort());
    const { mailbox, lines } = await consult(changes);
    expect(mailbox).toMatchObject({ ok: false, cause });
    expect(mailbox?.steps.map(({ outcome }) => outcome)).toEqual(expected);
    expect(lines.join('\n')).toContain('What to do: ');
    expect(lines.join('\n')).not.toContain('wrong-horse');
  });
});

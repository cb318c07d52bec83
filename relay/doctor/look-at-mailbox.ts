// The mailbox for delivery reports, for the doctor: a look of its own, and what the running relays know.
import type { Database } from '../../deploy/database.ts';
import { countReportsWithoutEffect, readMailbox } from '../client/status/mailbox.ts';
import { examineMailbox, type Known, type MailboxExamination } from '../mailbox/examine-mailbox.ts';
import { placeOf } from '../mailbox/place.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { redact } from './redact.ts';
import type { SettingsReading } from './settings.ts';

/** Null while no reports are read. Never rejects. */
export async function lookAtMailbox(
  { environment, secrets }: SettingsReading,
  { tokens, database }: { tokens: Tokens | undefined; database: Database | undefined },
): Promise<MailboxExamination | null> {
  const { bounceMailbox: mailbox } = environment;
  if (mailbox === undefined) return null;
  const [seen, reading] = await Promise.all([
    signIn(mailbox, tokens).then((proof) => examineMailbox(mailbox, proof)),
    known(mailbox, database),
  ]);
  return redact({ ...seen, reading }, secrets);
}

type Mailbox = NonNullable<SettingsReading['environment']['bounceMailbox']>;

async function signIn({ provider }: Mailbox, tokens: Tokens | undefined) {
  if (provider === undefined) return {};
  const answer = await tokens?.tokenFor(provider).catch(() => undefined);
  if (answer === undefined) {
    return { tokenFailure: { symptom: { message: 'No access token: the database does not answer' } } };
  }
  return 'token' in answer ? { accessToken: answer.token } : { tokenFailure: answer.failure };
}

async function known(mailbox: Mailbox, database: Database | undefined): Promise<Known> {
  const place = placeOf(mailbox);
  if (!database || !place) return null;
  try {
    const [state, withoutEffect] = await Promise.all([
      readMailbox(database, { user: mailbox.user, host: place.host, port: mailbox.port }),
      countReportsWithoutEffect(database),
    ]);
    return { ...state, withoutEffect };
  } catch {
    return null;
  }
}

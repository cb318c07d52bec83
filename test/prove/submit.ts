// An application that submits over SMTP as RFC 5321 wants it: it keeps its copy until it has read a 250, and asks again,
// at whichever relay answers, with the same bytes. Some speak as Exim does, some send no Message-ID as Python and Go do.
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Transcript } from '../kit/transcript.ts';
import { type Acknowledgements, recipientsOf } from './acknowledgements.ts';
import type { Chance } from './chance.ts';

export type Submitter = {
  readonly ports: readonly number[];
  readonly user: string;
  readonly password: string;
  readonly sender: string;
  readonly chance: Chance;
  readonly acknowledgements: Acknowledgements;
  readonly signal: AbortSignal;
};

export type SubmissionSessions = AsyncDisposable & {
  /** Submits mail `number` until it is acknowledged, or the run ends. */
  submit(number: number): Promise<void>;
};

type Mail = {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: string;
  /** Whether it brings a Message-ID or a key. */
  readonly isRecognisable: boolean;
};

const yes = '250 2.0.0 queued as *';
// A transcript remembers all that was said.
const mailsPerSession = 40;

export function openSubmissions(submitter: Submitter): SubmissionSessions {
  const { ports, user, password, sender, chance, acknowledgements, signal } = submitter;
  let session: Transcript | undefined;
  let carried = 0;

  async function signedIn(): Promise<Transcript> {
    if (session && carried < mailsPerSession) return session;
    await leave();
    const fresh = await connect(chance.pick(ports), { timeoutMs: 30_000 });
    try {
      await fresh.expect('220 *');
      await fresh.send('EHLO application.example.com').expect('250 *');
      await fresh.authPlain(user, password).expect('235 *');
    } catch (error) {
      await fresh[Symbol.asyncDispose]();
      throw error;
    }
    session = fresh;
    carried = 0;
    return fresh;
  }

  /** As Exim delivers its last mail: QUIT goes out with the final dot, and then its sending side ends. */
  async function submitAndHangUp(mail: Mail): Promise<string> {
    await leave();
    const client = await signedIn();
    const answer = await client.submit({ ...mail, behind: 'QUIT\r\n' });
    client.end();
    noteSent(mail);
    const { text } = await answer.expect(yes);
    await leave();
    return text;
  }

  async function submitInTurn(mail: Mail): Promise<string> {
    const client = await signedIn();
    carried++;
    const answer = await client.submit(mail);
    noteSent(mail);
    return (await answer.expect(yes)).text;
  }

  function noteSent({ recipients, isRecognisable }: Mail): void {
    if (!isRecognisable) acknowledgements.sentUnrecognisable(recipients);
  }

  async function leave(): Promise<void> {
    const last = session;
    session = undefined;
    await last?.[Symbol.asyncDispose]();
  }

  return {
    async submit(number) {
      const recipients = recipientsOf(number, chance.happens(0.15) ? 3 : 1);
      const mail = { sender, recipients, ...messageFor(number, sender, recipients, chance) };
      const submit = chance.happens(0.25) ? submitAndHangUp : submitInTurn;
      while (!signal.aborted) {
        try {
          const text = await submit(mail);
          // Some clients are killed as well: they lose the answer, and come again.
          if (chance.happens(0.01)) throw new Error('this client lost its power');
          acknowledgements.add(recipients, text.replace(/^.* queued as /, ''));
          return;
        } catch (error) {
          const reply = /got: (.*)/.exec(String(error))?.[1];
          if (reply?.startsWith('5')) {
            acknowledgements.complain(`mail ${number} was refused for good over SMTP: ${reply}`);
            return;
          }
          acknowledgements.askAgain(
            `SMTP: ${
              reply ??
              String(error)
                .split('\n', 1)[0]
                ?.replace(/\d{3,}/g, '…')
            }`,
          );
        }
        await leave();
        await pause(chance.between(50, 1_000), undefined, { signal }).catch(() => {});
      }
    },
    [Symbol.asyncDispose]: leave,
  };
}

/** Mostly small, sometimes too large for one part, and always with lines that begin with dots. */
function messageFor(
  number: number,
  sender: string,
  recipients: readonly string[],
  chance: Chance,
): Pick<Mail, 'message' | 'isRecognisable'> {
  const luck = chance.draw();
  const bytes =
    luck < 0.02 ? chance.between(300_000, 800_000) : luck < 0.1 ? chance.between(30_000, 100_000) : 2_000;
  const line = `.${number} ${'x'.repeat(70)}\r\n`;
  const key = chance.happens(0.3) ? [`X-Postern-Idempotency-Key: mail-${number}`] : [];
  const messageId = chance.happens(0.75) ? [`Message-ID: <${number}@application.example.com>`] : [];
  const lines = [
    `From: ${sender}`,
    `To: ${recipients.join(', ')}`,
    `Subject: Mail ${number}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    ...messageId,
    ...key,
    '',
    line.repeat(Math.ceil(bytes / line.length)),
  ];
  return { message: lines.join('\r\n'), isRecognisable: messageId.length + key.length > 0 };
}

// One request at a time on nodemailer's connection, each with an answer: also when the connection is lost under it.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Stage } from '../client/vocabulary.ts';
import type { SmtpFailure } from './failure.ts';
import { socketOf } from './nodemailer.ts';
import type { StageTracker } from './stages.ts';
import { symptomOf } from './symptom.ts';

export type Conversation = {
  /** Runs one request; resolves with the failure it ended in, if any. Losing the connection answers it, too. */
  ask(request: (done: (error?: Error | null) => void) => void): Promise<SmtpFailure | undefined>;
  /** Destroys the socket at once; whoever asks is told `reason`. */
  cut(reason: Error): void;
  readonly lost: boolean;
};

export function startConversation(connection: SMTPConnection, tracker: StageTracker): Conversation {
  let lost = false;
  let asking: ((error: Error) => void) | undefined;
  const lose = (error: Error) => {
    lost = true;
    asking?.(error);
  };
  connection.on('error', lose);
  // Some ways of ending have no error, such as 421 between two mails; those that have one tell it after 'end'.
  connection.on('end', () => {
    lost = true;
    const whoever = asking;
    setImmediate(() => {
      if (asking === whoever) whoever?.(new Error('Connection closed unexpectedly'));
    });
  });

  return {
    get lost() {
      return lost;
    },
    cut(reason) {
      lose(reason);
      socketOf(connection)?.destroy();
      connection.close();
    },
    ask: (request) =>
      new Promise((resolve) => {
        const settle = (error?: Error | null) => {
          asking = undefined;
          resolve(error ? failureAt(tracker, error) : undefined);
        };
        asking = settle;
        if (lost) return settle(new Error('Connection closed unexpectedly'));
        request(settle);
      }),
  };
}

/** An error as the failure of the stage it belongs to. */
export function failureAt(tracker: StageTracker, error: unknown): SmtpFailure {
  const symptom = symptomOf(error);
  if (symptom.reply === undefined || tracker.stage === 'dot') {
    return { stage: tracker.stage, symptom, timings: tracker.timings };
  }
  // A pipelined refusal is reported after the last reply; its command tells which one refused.
  const stage = refusedAt[symptom.command ?? ''] ?? tracker.answered;
  return { stage, symptom, timings: tracker.timings };
}

const refusedAt: Readonly<Record<string, Stage>> = { 'MAIL FROM': 'mail', 'RCPT TO': 'rcpt', DATA: 'data' };

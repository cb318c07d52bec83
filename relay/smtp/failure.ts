// What went wrong in a conversation with a provider.
import type { Stage } from '../client/vocabulary.ts';
import type { Symptom } from '../verdict/failure.ts';
import type { Timings } from './stages.ts';

/** Where it went wrong, and what the provider, the system or nodemailer said. */
export type StageFailure = { readonly stage: Stage; readonly symptom: Symptom };

/** The same with how the time was spent until then. */
export type SmtpFailure = StageFailure & { readonly timings: Timings };

/** What the provider or the system said, for people. */
export function inWords({ symptom }: Pick<StageFailure, 'symptom'>): string {
  return symptom.reply ?? symptom.message ?? 'no answer';
}

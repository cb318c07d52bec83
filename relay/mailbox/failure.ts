// What it means that the mailbox could not be read.
import type { Stage } from '../client/vocabulary.ts';
import { judge } from '../verdict/verdict.ts';
import type { MailboxFailure } from './state.ts';

const longestDetail = 500;

export function failureOf(error: unknown): MailboxFailure & { readonly stage: Stage } {
  const given = error as {
    authenticationFailed?: boolean;
    mailboxMissing?: boolean;
    tokenFailure?: Parameters<typeof judge>[0] & { symptom: { reply?: string; message?: string } };
    responseText?: string;
    response?: unknown;
    message?: string;
    code?: string;
    throttleReset?: number;
  };
  const said =
    given.tokenFailure?.symptom.reply ??
    given.tokenFailure?.symptom.message ??
    given.responseText ??
    (typeof given.response === 'string' ? given.response : undefined) ??
    [given.message, given.code].filter(Boolean).join(' ');
  const detail = said.replaceAll(/\p{Cc}/gu, ' ').slice(0, longestDetail);
  // A token endpoint that is away will be back; one that refuses wants a person.
  const isRefused = given.tokenFailure && judge(given.tokenFailure).verdict === 'stop';
  if (given.authenticationFailed || isRefused) {
    // One sign-in a minute and less: shared hosts lock an address that tries more often.
    return {
      cause: 'imap-sign-in',
      stage: 'auth',
      detail,
      patience: 1,
      firstPauseMs: 60_000,
      longestPauseMs: 900_000,
    };
  }
  if (given.mailboxMissing) {
    return {
      cause: 'imap-folder',
      stage: 'config',
      detail,
      patience: 1,
      firstPauseMs: 60_000,
      longestPauseMs: 900_000,
    };
  }
  const firstPauseMs = Math.max(5_000, given.throttleReset ?? 0);
  return {
    cause: 'imap-unreachable',
    stage: 'tcp',
    detail,
    patience: 3,
    firstPauseMs,
    longestPauseMs: 300_000,
  };
}

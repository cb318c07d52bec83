// How far a refusal reaches: what is said of a recipient or of a mail never stops or pauses a credential.
import { describe, expect, test } from 'vitest';
import { judge } from '../../../relay/verdict/verdict.ts';

const stages = ['rcpt', 'data', 'dot'] as const;

describe('a recipient or a mail', () => {
  test.each([
    [
      '554 delivery error: dd This account has been disabled or discontinued [#101]. - mta3.mail.example.net',
      'fail',
    ],
    ['550 5.2.1 This mailbox is disabled', 'fail'],
    ['530 5.1.1 No such user here', 'fail'],
    ['535 5.1.1 Mailbox does not exist', 'fail'],
    ["554 Transaction failed: Duplicate header 'From'.", 'fail'],
    ['550 User has too many messages on the server', 'fail'],
    ['552 5.2.2 The recipient mailbox has exceeded its disk space limit', 'fail'],
    ['554 The recipient domain is not reachable. Please check the domain and try again', 'fail'],
    ['550 You have been blocked by the recipient', 'fail'],
    ['550 5.7.1 The user you are trying to contact only accepts mail from known senders', 'fail'],
    ['450 4.2.1 The mailbox is temporarily locked, try again in an hour', 'retry'],
    ['550 This message is temporarily deferred because of user complaints', 'retry'],
  ])('%s', (reply, verdict) => {
    for (const stage of stages) {
      const judged = judge({ stage, symptom: { reply } });
      expect(judged.verdict, `${stage} ${judged.cause}`).toBe(verdict);
    }
  });
});

describe('us', () => {
  test.each([
    ['550 5.7.1 Your account has been disabled', 'stop', 'credential'],
    ['530 5.7.0 Authentication required', 'stop', 'credential'],
    ['550 5.4.5 Daily user sending limit exceeded', 'pause', 'credential'],
    ['550 5.7.25 The sending IP has no PTR record', 'stop', 'credential'],
    ['530 From/Sender name is not valid', 'stop', 'sender'],
    ['554 5.7.1 Client host [192.0.2.9] blocked using zen.spamhaus.org', 'stop', 'credential'],
  ])('%s', (reply, verdict, scope) => {
    for (const stage of ['rcpt', 'dot'] as const) {
      const judged = judge({ stage, symptom: { reply } });
      expect(judged).toMatchObject({ verdict, scope });
      expect(judged.isSuspicion).toBeUndefined();
    }
  });
});

test.each(['530 No', '535 Refused', '550 Blocked', '554 Try again later'])(
  '%s names nobody: a suspicion only',
  (reply) => {
    for (const stage of stages)
      expect(judge({ stage, symptom: { reply } })).toMatchObject({ scope: 'credential', isSuspicion: true });
    expect(judge({ stage: 'mail', symptom: { reply } }).isSuspicion).toBeUndefined();
  },
);

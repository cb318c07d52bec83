import { expect, test } from 'vitest';
import { enhancedIn } from '../../../relay/delivery/attempt/change.ts';
import { type Proof, proofOfRefusal } from '../../../relay/verdict/address-fault.ts';
import { judge } from '../../../relay/verdict/verdict.ts';

/** As an attempt asks: with the cause that the verdict found in the words. */
function proofOf(reply: string, stage: 'rcpt' | 'dot' = 'rcpt'): Proof | undefined {
  const enhanced = enhancedIn(reply);
  const symptom = { responseCode: Number(reply.slice(0, 3)), reply, ...(enhanced && { enhanced }) };
  return proofOfRefusal({ stage, cause: judge({ stage, symptom }).cause, enhanced, reply });
}

test.each<[string, Proof | undefined]>([
  ['550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in local recipient table', 'once'],
  ['550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 Please try', 'once'],
  ['550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup', 'once'],
  ['550 5.1.6 User unknown: mailbox has moved', 'once'],
  ['550 No such user here', 'once'],
  ['550 Unknown user', 'once'],
  ['550 sorry, no mailbox here by that name. (#5.1.1)', 'once'],
  // It may be something else that is wrong.
  ['550 5.5.0 Requested action not taken: user unknown', 'twice'],
  ['550 5.2.1 The email account that you tried to reach is disabled', 'twice'],
  ['550 5.1.2 Domain example.org does not exist', 'twice'],
  // Never.
  ['550 5.7.1 Unknown user: blocked by policy', undefined],
  ['552 5.2.2 The mailbox is full', undefined],
  ['452 4.2.2 The mailbox is over its quota', undefined],
  ['550 5.7.1 Message rejected due to local policy', undefined],
  ['550 5.7.26 This mail is unauthenticated: SPF did not pass', undefined],
  ['550 5.7.1 Our system has detected that this message is spam', undefined],
  ['550 5.1.8 Sender address rejected: Domain not found', undefined],
  ['550 5.4.5 Daily sending quota exceeded', undefined],
  ['550 5.1.3 Bad recipient address syntax', undefined],
  ['550 Access denied', undefined],
])('%s', (reply, proof) => {
  expect(proofOf(reply)).toBe(proof);
});

test('after the data it is about the mail', () => {
  expect(proofOf('550 5.1.1 User unknown', 'dot')).toBe(undefined);
});

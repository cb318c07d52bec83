// What the world's servers answer, each with the verdicts that are right for it. Written from public knowledge, with
// invented names, and before the rules were tried on it, in batches of 100 and more: of the first 168 of 178 were right
// at first, of the next 92, 90 and 94 of 100. A reply means the same however a library wraps it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Stage, Verdict } from '../../../relay/client/vocabulary.ts';
import type { Symptom } from '../../../relay/verdict/failure.ts';
import { judge } from '../../../relay/verdict/verdict.ts';

type Refusal = { readonly stage: Stage; readonly verdicts: readonly Verdict[]; readonly reply: string };

const refusals = readFileSync(new URL('../../corpus/refusals.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Refusal);

test.each(refusals)('$stage: $reply', ({ stage, verdicts, reply }) => {
  expect(verdicts).toContain(judge({ stage, symptom: { reply } }).verdict);
});

const wrappings: readonly (readonly [string, (code: string, text: string) => Symptom])[] = [
  ['Python', (code, text) => ({ message: `smtplib.SMTPResponseException: (${code}, b'${text}')` })],
  [
    'nodemailer',
    (code, text) => ({ message: `Message failed: ${code} ${text}`, responseCode: Number(code) }),
  ],
  ['Java', (code, text) => ({ message: `org.example.mail.MailSendException: ${code} ${text}` })],
  [
    'PHP',
    (code, text) => ({
      message: `SMTP Error: data not accepted. SMTP server error: DATA END command failed Detail: ${text} SMTP code: ${code}`,
    }),
  ],
  ['Go', (code, text) => ({ message: `gomail: could not send email 1: ${code} ${text}` })],
  ['a code apart', (code, text) => ({ responseCode: code, message: text })],
];

test.each(wrappings)('in the words of %s a reply means what it means alone', (_, wrap) => {
  const different = refusals.filter(({ stage, reply }) => {
    const alone = judge({ stage, symptom: { reply } });
    const wrapped = judge({ stage, symptom: wrap(reply.slice(0, 3), reply.slice(4)) });
    return wrapped.verdict !== alone.verdict;
  });
  expect(different.map(({ reply }) => reply)).toEqual([]);
});

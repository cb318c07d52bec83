// `npm run diagnose`: explains a pasted SMTP error, or answers JSON lines on standard input one by one.
// Sends nothing, connects nowhere and repeats no value it was given.
import { createInterface } from 'node:readline';
import { describeError, diagnoseLine } from './verdict/diagnosis.ts';
import { openLogDigest } from './verdict/log-digest.ts';

const usage = `Usage: npm run --silent diagnose "535 5.7.8 Authentication failed"
       npm run --silent diagnose < failures.jsonl
       npm run --silent diagnose -- --stdin < mail.log    (counts causes, and groups what no rule knows)
`;

const pasted = process.argv.slice(2).join(' ').trim();

if (pasted === '--stdin') {
  const digest = openLogDigest();
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    digest.read(line);
  }
  process.stdout.write(digest.describe());
} else if (pasted !== '') {
  process.stdout.write(describeError(pasted));
} else if (process.stdin.isTTY) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() === '') continue;
    const answer = diagnoseLine(line);
    if ('error' in answer) process.exitCode = 1;
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

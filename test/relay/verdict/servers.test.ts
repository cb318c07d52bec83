// What real servers and tools say, judged by people before the rules were tried on it: Exchange, Gmail, Postfix, Exim,
// providers, gateways, Node and other languages. Asked the way a person asks, as lines of `npm run diagnose`.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Scope, Verdict } from '../../../relay/client/vocabulary.ts';
import { diagnoseLine } from '../../../relay/verdict/diagnosis.ts';
import type { Failure } from '../../../relay/verdict/failure.ts';
import { judge } from '../../../relay/verdict/verdict.ts';

type Judged = Failure & { readonly verdict: Verdict; readonly scope?: Scope };

const lines = readFileSync(new URL('../../corpus/unseen-failures.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Judged);

test.each(
  lines.map(({ symptom, ...rest }) => ({ said: String(symptom.reply ?? symptom.message), symptom, ...rest })),
)('$verdict at $stage: $said', ({ verdict, scope, stage, symptom, config = {} }) => {
  expect(diagnoseLine(JSON.stringify({ id: 1, stage, symptom, config }))).toMatchObject({ verdict });
  const judged = judge({ stage, symptom, config });
  if (scope !== undefined) expect(judged.scope, judged.cause).toBe(scope);
});

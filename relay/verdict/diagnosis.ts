// One reported failure in, one answer out: what `npm run diagnose` says to programs and to people.
import { type Stage, stages, type Verdict } from '../client/vocabulary.ts';
import { explain } from './explain.ts';
import { hostOf } from './facts.ts';
import type { Failure, Judgement, Symptom } from './failure.ts';
import { judge } from './verdict.ts';

export type Diagnosis = {
  readonly id: unknown;
  readonly stage: Stage;
  readonly verdict: Verdict;
  readonly cause: string;
  readonly title: string;
  readonly fix: string;
};

const verdictWords: Readonly<Record<Verdict, string>> = {
  failover: 'Postern would take the next route at once.',
  stop: 'Postern would stop here, keep the mail and alert you: trying again cannot help until something is changed.',
  pause: 'Postern would keep the mail and wait until the window has passed.',
  retry: 'Postern would keep the mail and try again by itself.',
  split: 'Postern would send it again in smaller groups.',
  fail: 'This mail or address is refused permanently. Trying again does not help.',
  uncertain:
    'Nobody can tell whether the provider took the mail; Postern would mark it and not send it elsewhere.',
};

/**
 * Answers one JSON line `{id, stage?, symptom?, config?, provider?, platform?}`. What is not such a line comes back
 * as an error that does not repeat it, because it may hold a password.
 */
export function diagnoseLine(line: string): Diagnosis | { readonly id?: unknown; readonly error: string } {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    return { error: 'not a line of JSON' };
  }
  if (!isRecord(report)) return { error: 'not a JSON object' };
  const { id = null, stage, symptom, config, provider, platform } = report;
  if (symptom !== undefined && !isRecord(symptom)) return { id, error: 'symptom is not an object' };
  if (config !== undefined && config !== null && !isRecord(config))
    return { id, error: 'config is not an object' };
  if (symptom === undefined && !isRecord(config)) return { id, error: 'neither symptom nor config is given' };

  const failure: Failure & { readonly config: Record<string, unknown> } = {
    stage: stages.find((known) => known === stage),
    symptom: (symptom ?? {}) as Symptom,
    config: isRecord(config) ? config : {},
    provider: typeof provider === 'string' ? provider : undefined,
    platform: typeof platform === 'string' ? platform : undefined,
  };
  const judgement = judge(failure);
  const { title, fix, where } = explain(judgement.cause, {
    ...failure,
    host: hostOf(failure.config),
    words: wordsIn(failure.symptom),
  });
  return {
    id,
    stage: judgement.stage,
    verdict: judgement.verdict,
    cause: judgement.cause,
    title,
    fix: advice(fix, where),
  };
}

/** Explains a pasted error message, in a few lines of text for people. */
export function describeError(pasted: string): string {
  const judgement = judge({ symptom: { message: pasted }, config: {} });
  const { title, meaning, fix, where, docs, facts } = explain(judgement.cause, {
    words: pasted.toLowerCase(),
  });
  return [
    title,
    '',
    `  Stage    ${judgement.stage}`,
    `  Verdict  ${judgement.verdict}. ${verdictWords[judgement.verdict]}${waiting(judgement)}`,
    `  Cause    ${judgement.cause}`,
    '',
    meaning,
    '',
    `What to do: ${advice(fix, where)}`,
    ...facts.map(
      ({ about, says, source, unverified }) =>
        `${about}: ${says} (${unverified ? 'not verified; ' : ''}${source})`,
    ),
    `More: ${docs} of your api`,
    '',
  ].join('\n');
}

const advice = (fix: string, where: string | null) => (where === null ? fix : `${fix} ${where}`);

function waiting({ retryAfterSeconds }: Judgement): string {
  if (retryAfterSeconds === undefined) return '';
  const minutes = Math.ceil(retryAfterSeconds / 60);
  return minutes < 120 ? ` At most ${minutes} min.` : ` At most ${Math.ceil(minutes / 60)} h.`;
}

function wordsIn({ reply, message }: Symptom): string {
  return [reply, message]
    .filter((part) => typeof part === 'string')
    .join(' ')
    .toLowerCase();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

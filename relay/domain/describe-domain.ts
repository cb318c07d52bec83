// An examination of a domain as text for people: what is wrong first, with the record to publish.
import { styleText } from 'node:util';
import type { DomainExamination } from './examine-domain.ts';
import type { DomainFinding, Result } from './finding.ts';

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<Result, Style>> = {
  fail: ['bold', 'red'],
  warn: 'yellow',
  unknown: 'yellow',
  note: 'cyan',
  pass: 'green',
  'not-applicable': 'dim',
};

const headlines: Readonly<Record<Result, string>> = {
  fail: 'something is wrong',
  warn: 'some receivers will not like something',
  unknown: 'DNS cannot tell everything',
  note: 'good, with something to improve',
  pass: 'good',
  'not-applicable': 'nothing to publish',
};

/** @param colour whether the reader is a terminal */
export function describeDomain(examination: DomainExamination, { colour }: { colour: boolean }): string {
  const { domain, result, findings, receivers } = examination;
  const paint = (of: Result, text: string) =>
    colour ? styleText(styles[of], text, { validateStream: false }) : text;
  const lines = [`${domain}: ${paint(result, headlines[result])}`, ''];
  for (const finding of findings) lines.push(...describeFinding(finding, paint));
  lines.push('', 'What the large receivers ask of senders:');
  for (const { receiver, answer, says } of receivers)
    lines.push(`  ${receiver.padEnd(12)} ${answer.padEnd(8)} ${says}`);
  lines.push('', 'DNS says what is published, not where mail ends: a receiver decides that by itself.', '');
  return lines.join('\n');
}

function describeFinding(
  { check, result, cause, title, fix, record, evidence }: DomainFinding,
  paint: (of: Result, text: string) => string,
): string[] {
  const isGood = result === 'pass' || result === 'not-applicable';
  const lines = [
    `  ${paint(result, result.padEnd(8))} ${check.padEnd(6)} ${title}${isGood ? '' : ` (${cause})`}`,
  ];
  const more = [
    ...(fix ? [fix] : []),
    ...(record ? [`Name ${record.host}   Type ${record.type}   Value ${record.value}`] : []),
    ...(isGood ? [] : evidence.map((line) => `DNS: ${line}`)),
  ];
  return [...lines, ...more.map((line) => `                  ${line}`)];
}

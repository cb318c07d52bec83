// The examination as text for people: the cause in the first line, what to do below it, then everything that was seen.
import { styleText } from 'node:util';
import { fingerprintCommand } from '../../deploy/environment.ts';
import type { Cause } from '../verdict/catalogue.ts';
import { explain } from '../verdict/explain.ts';
import type { ControlReport, Diagnosis, Examination, Step, WalkReport } from './examination.ts';

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

/** One line: what is wrong, and which variables to look at. */
export function headline({ diagnosis, route, walks }: Examination): string {
  if (diagnosis === null) {
    const walk = walks.find((each) => each.route === route);
    return `OK: mail can leave by ${route} (${walk?.host} port ${walk?.port}).`;
  }
  const { stage, cause, title, variables } = diagnosis;
  const about = variables.length > 0 ? ` Look at ${variables.join(', ')}.` : '';
  return `FAILED at ${stage}: ${cause}: ${title}.${about}`;
}

/** @param colour whether the reader is a terminal */
export function describe(examination: Examination, { colour }: { colour: boolean }): string {
  const paint: Paint = (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
  const { ok, diagnosis, findings, settings, walks, controls, signIns, mailbox, notes, platform, ms } =
    examination;
  const lines = [paint(ok ? ['bold', 'green'] : ['bold', 'red'], headline(examination)), ''];
  if (diagnosis) lines.push(...describeDiagnosis(diagnosis), '');
  for (const note of notes) lines.push(paint('yellow', `Note: ${note}`));
  if (notes.length > 0) lines.push('');

  lines.push(paint('bold', `Environment (${platform.name})`));
  for (const { variable, shape } of settings) lines.push(`  ${variable.padEnd(24)} ${shape}`);
  if (settings.length === 0) lines.push('  No SMTP_ variable is set in this process.');
  for (const { variable, severity, problem, shape, fix } of findings) {
    const mark = severity === 'problem' ? paint('red', 'problem') : paint('yellow', 'warning');
    lines.push(`  ${mark}: ${variable} ${problem} (${shape}). ${fix}`);
  }
  if (settings.some(({ shape }) => shape.includes('fingerprint'))) {
    lines.push(
      '  To compare a fingerprint, type this on the other machine, then the secret, Return and Ctrl-D:',
      `    ${fingerprintCommand()}`,
    );
  }
  for (const walk of walks) lines.push('', ...describeWalk(walk, paint));
  if (mailbox) lines.push('', ...describeMailbox(mailbox, paint));
  if (controls.length > 0) lines.push('', paint('bold', 'For comparison'), ...controls.map(describeControl));
  lines.push(
    '',
    `${signIns.reduce((sum, { attempts }) => sum + attempts, 0)} AUTH sent; ${sentNoMessage(examination) ? 'no' : 'one'} message was sent. ${(ms / 1000).toFixed(1)} s.`,
    '',
  );
  return lines.join('\n');
}

function describeDiagnosis({ meaning, because, reply, fix, where, facts }: Diagnosis): string[] {
  return [
    meaning,
    ...(because ? [because] : []),
    ...(reply ? [`It said: ${oneLine(reply)}`] : []),
    '',
    `What to do: ${fix}`,
    where,
    ...facts.map((fact) => `Known of this provider: ${fact}`),
  ];
}

function describeWalk(walk: WalkReport, paint: Paint): string[] {
  const { provider, route, host, port, tlsMode, family, address, steps, certificate, speaker } = walk;
  const way = family ? ` over ${family} (${address})` : '';
  return [
    paint('bold', `${provider} ${route}: ${host} port ${port}, ${tlsMode}${way}`),
    ...steps.map((step) => describeStep(step, paint)),
    ...(certificate?.problem
      ? [
          `  the certificate: for ${certificate.names.join(', ')}, by ${certificate.issuer}, until ${certificate.validTo}`,
        ]
      : []),
    ...(speaker && speaker.said !== '' ? [`  the server: ${speaker.kind}: ${oneLine(speaker.said)}`] : []),
  ];
}

type Mailbox = NonNullable<Examination['mailbox']>;

function describeMailbox({ user, host, steps, cause, reading }: Mailbox, paint: Paint): string[] {
  return [
    paint('bold', `Mailbox for delivery reports: ${user} at ${host ?? 'no server'}`),
    ...steps.map(({ step, outcome, ms, says }) => stepLine(step, outcome, ms, says, paint)),
    ...(cause === null ? [] : [`  What to do: ${explain(cause as Cause).fix}`]),
    ...(reading ? describeReading(reading) : []),
  ];
}

function describeReading({ state, lastLookAt, withoutEffect }: NonNullable<Mailbox['reading']>): string[] {
  const look = lastLookAt ? `last look at ${lastLookAt.toISOString()}` : 'no look yet';
  return [
    `  running relays: ${state}, ${look}`,
    ...withoutEffect.map(
      ({ outcome, why, count, lastAt }) =>
        `  reports that changed nothing in 14 days: ${count} ${outcome}${why ? ` (${why})` : ''}, the last at ${lastAt.toISOString()}`,
    ),
  ];
}

const marks: Readonly<Record<Step['outcome'], readonly [Style, string]>> = {
  passed: ['green', 'ok'],
  failed: ['red', 'FAILED'],
  skipped: ['dim', 'skipped'],
  'not reached': ['dim', 'not reached'],
};

const describeStep = ({ stage, outcome, ms, says }: Step, paint: Paint): string =>
  stepLine(stage, outcome, ms, says, paint);

function stepLine(
  stage: string,
  outcome: Step['outcome'],
  ms: number | null,
  says: string,
  paint: Paint,
): string {
  const [style, mark] = marks[outcome];
  const time = ms === null ? '' : `${ms} ms`;
  return `  ${stage.padEnd(9)} ${paint(style, mark.padEnd(11))} ${time.padStart(8)}  ${oneLine(says)}`.trimEnd();
}

function describeControl({ what, host, port, outcome, ms }: ControlReport): string {
  return `  ${what}: ${host}${port === null ? '' : ` port ${port}`} ${outcome} (${ms} ms)`;
}

const widest = 160;

function oneLine(text: string): string {
  const line = text.replaceAll(/\s*\n\s*/g, ' | ');
  return line.length > widest ? `${line.slice(0, widest)}…` : line;
}

/** With --canary one goes to the sender itself. */
const sentNoMessage = ({ walks }: Examination): boolean =>
  walks.every(({ steps }) => steps.every(({ stage, outcome }) => stage !== 'dot' || outcome !== 'passed'));

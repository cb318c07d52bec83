// `npm run diagnose` as people and programs use it: the real process, its input, its output and its exit code.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stages } from '../../relay/client/vocabulary.ts';
import { type Cause, catalogue, type Entry } from '../../relay/verdict/catalogue.ts';
import { diagnoseLine } from '../../relay/verdict/diagnosis.ts';
import { explain } from '../../relay/verdict/explain.ts';
import { providerOf, providers } from '../../relay/verdict/providers.ts';

const program = fileURLToPath(new URL('../../relay/diagnose.ts', import.meta.url));

async function diagnose(input: string, ...pasted: string[]) {
  const child = spawn(process.execPath, [program, ...pasted], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close') as Promise<[number]>;
  child.stdin.end(input);
  const [out, errors, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return {
    out,
    errors,
    exitCode,
    answers: () =>
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  };
}

describe('JSON lines', () => {
  test('every known failure gets its verdict, in order, with a cause and a fix', async () => {
    const knownFailures = readFileSync(new URL('../corpus/failures.jsonl', import.meta.url), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const questions = knownFailures.map(({ id, stage, symptom, config, platform }) =>
      JSON.stringify({ id, stage, symptom, config, platform }),
    );

    const { exitCode, answers, errors } = await diagnose(`${questions.join('\n')}\n`);

    expect(errors).toBe('');
    expect(exitCode).toBe(0);
    expect(answers().map(({ id, verdict }) => `${id} ${verdict}`)).toEqual(
      knownFailures.map(({ id, verdict }) => `${id} ${verdict}`),
    );
    for (const [index, answer] of answers().entries()) {
      expect(Object.keys(answer)).toEqual(['id', 'stage', 'verdict', 'cause', 'title', 'fix']);
      expect(catalogue).toHaveProperty([answer.cause]);
      expect(answer.fix.length).toBeGreaterThan(20);
      const asked = stages.find((stage) => stage === knownFailures[index].stage);
      if (asked !== undefined) expect(answer.stage).toBe(asked);
    }
  });

  test('a bad line is answered with an error that does not repeat it, and the others still are', async () => {
    const { exitCode, answers, out } = await diagnose(
      [
        'hunter2 is not JSON',
        '["hunter2"]',
        '',
        '{"id":7}',
        '{"id":8,"symptom":"hunter2"}',
        '{"id":9,"symptom":{"reply":"550 5.1.1 no such user"},"config":"hunter2"}',
        '{"id":10,"symptom":{"reply":"550 5.1.1 no such user"}}',
      ].join('\r\n'),
    );
    expect(exitCode).toBe(1);
    expect(out).not.toContain('hunter2');
    expect(answers()).toEqual([
      { error: 'not a line of JSON' },
      { error: 'not a JSON object' },
      { id: 7, error: 'neither symptom nor config is given' },
      { id: 8, error: 'symptom is not an object' },
      { id: 9, error: 'config is not an object' },
      expect.objectContaining({ id: 10, verdict: 'fail', cause: 'user-unknown', stage: 'rcpt' }),
    ]);
  });

  test.each([
    ['env-quoted', { SMTP_HOST: '"smtp.example.com"' }],
    ['env-trailing-char', { SMTP_HOST: 'smtp.example.com,' }],
    ['env-newline', { SMTP_HOST: 'smtp.example.com\n' }],
    ['env-scheme-in-host', { SMTP_HOST: 'smtps://smtp.example.com' }],
    ['env-host-garbage', { SMTP_HOST: '1234' }],
    ['wrong-service-host', { SMTP_HOST: 'imap.example.com' }],
    ['env-blank', { SMTP_HOST: '' }],
    ['env-missing', { SMTP_HOST: null }],
    ['env-missing', { SMTP_HOST: 'smtp.example.com', SMTP_PORT: '465' }],
    ['env-interpolated', { SMTP_HOST: '$' + '{SMTP_HOST}' }],
    ['env-port-garbage', { SMTP_HOST: 'smtp.example.com', SMTP_PORT: 'smtp' }],
    ['env-port-garbage', { SMTP_HOST: 'smtp.example.com', SMTP_PORT: 70_000 }],
    ['env-placeholder', { SMTP_HOST: 'smtp.example.com', SMTP_PASSWORD: 'your-password' }],
    ['env-comment-truncation', { SMTP_HOST: 'smtp.example.com', SMTP_PASSWORD: 'half of #' }],
    ['env-url-encoding', { url: 'smtp://app:p#ss@smtp.example.com:587' }],
    ['env-tls-contradiction', { host: 'smtp.example.com', port: 587, secure: true }],
    ['env-value-garbage', { host: 'smtp.example.com', port: 465, secure: 'yes' }],
  ] as const)('%s is found in the settings alone', async (cause, config) => {
    const { answers, out } = await diagnose(JSON.stringify({ id: 'x', config }));
    expect(answers()).toEqual([expect.objectContaining({ stage: 'config', verdict: 'stop', cause })]);
    expect(out).not.toMatch(/half of|p#ss/);
  });

  test('any JSON object is answered, whatever its members are', () => {
    const members = [
      'code',
      'errno',
      'syscall',
      'hostname',
      'address',
      'port',
      'command',
      'responseCode',
      'reply',
    ];
    const settings = [
      'host',
      'port',
      'user',
      'pass',
      'auth',
      'url',
      'secure',
      'service',
      'scope',
      'SMTP_HOST',
    ];
    const report = fc.record(
      {
        stage: fc.jsonValue(),
        symptom: fc.dictionary(fc.constantFrom(...members), fc.jsonValue()),
        config: fc.dictionary(fc.constantFrom(...settings), fc.jsonValue()),
        provider: fc.jsonValue(),
        platform: fc.jsonValue(),
      },
      { requiredKeys: ['symptom'] },
    );
    fc.assert(
      fc.property(report, (asked) => {
        expect(diagnoseLine(JSON.stringify(asked))).toHaveProperty('verdict');
      }),
      { numRuns: 3_000, seed: 20_260_601 },
    );
  });

  test('a member that cannot be turned into text is passed over', () => {
    expect(diagnoseLine('{"config":{"secure":{"toString":""},"host":"smtp.example.com"}}')).toHaveProperty(
      'verdict',
    );
  });

  test('settings explain only what they can explain', async () => {
    const config = { host: 'smtp.example.com', port: 465, pass: '"secret"' };
    const lines = [
      { id: 1, stage: 'auth', symptom: { reply: '535 5.7.8 authentication failed' }, config },
      { id: 2, stage: 'rcpt', symptom: { reply: '550 5.1.1 no such user' }, config },
    ];
    const { answers } = await diagnose(lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(answers().map(({ cause }) => cause)).toEqual(['env-quoted', 'user-unknown']);
  });
});

describe('a pasted error', () => {
  test('is explained with verdict, meaning and what to do', async () => {
    const { out, exitCode } = await diagnose('', '535', '5.7.8 Username and Password not accepted - gsmtp');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^User name or password is wrong\n/);
    expect(out).toContain('Verdict  stop.');
    expect(out).toMatch(/What to do: .*SMTP_USER/);
  });

  test('says how long a limit lasts, and what is known of the provider with its source', async () => {
    const { out } = await diagnose('', '550 5.4.5 Daily user sending limit exceeded (gmail)');
    expect(out).toContain('At most 24 h.');
    expect(out).toMatch(/limits: 500 recipients per rolling 24 h \(.+\)/);
  });
});

describe('explanations', () => {
  const entries = Object.entries(catalogue) as [Cause, Entry][];

  test.each(entries)('%s says what it is, what it means and what to do', (_, { title, meaning, fix }) => {
    expect(title).toMatch(/^[A-Z0-9].*[^.]$/);
    expect(meaning).toMatch(/\.$/);
    expect(fix).toMatch(/\.$/);
  });

  test('advice is given for providers that exist', () => {
    const known = providers.map(({ id }) => id);
    for (const [, entry] of entries) {
      for (const id of Object.keys(entry.providers ?? {})) expect(known).toContain(id);
    }
  });

  test('every fact about a provider names its source', () => {
    for (const { facts, ports, portsSource } of providers) {
      for (const { source } of facts) expect(source).not.toMatch(/^(memory|-|)$/);
      if (ports.length > 0) expect(portsSource).toBeTruthy();
    }
  });

  test('the provider and the platform at hand change what to do', () => {
    const general = explain('cloud-port-block').fix;
    const here = explain('cloud-port-block', { host: 'mail.privateemail.com', platform: 'digitalocean' }).fix;
    expect(here).not.toBe(general);
    expect(here).toMatch(/465 and 587 only/);
    expect(here).toMatch(/DigitalOcean: Droplets block 25, 465 and 587/);
    expect(explain('env-interpolated', { platform: 'coolify' }).fix).toMatch(/Is Literal/);
  });

  test.each([
    ['mail.privateemail.com', 'privateemail'],
    ['SMTP.Gmail.com', 'gmail'],
    ['email-smtp.eu-west-1.amazonaws.com', 'ses'],
    ['smtp.office365.com', 'microsoft365'],
    ['notsmtp.gmail.com.example.org', undefined],
    ['', undefined],
  ])('%s is %s', (host, id) => expect(providerOf(undefined, host, '')?.id).toBe(id));
});

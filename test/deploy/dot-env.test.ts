// One reading of .env: as Docker Compose reads it. With a Compose on this machine every line is compared with it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DotEnvError, parseDotEnv } from '../../deploy/dot-env.ts';

const lines = [
  ['A=plain', 'plain'],
  ['A=abc#defgh', 'abc#defgh'],
  ['A=abc #defgh', 'abc'],
  ['A=abc   # defgh', 'abc'],
  ['A="abc #defgh" # why', 'abc #defgh'],
  ["A='abc #defgh'", 'abc #defgh'],
  ['A="pa\\"ss"', 'pa"ss'],
  ["A='pa\\'ss'", "pa'ss"],
  ["A='p$ss'", 'p$ss'],
  ['A=p$$ss', 'p$ss'],
  ['A="p\\$ss"', 'p$ss'],
  ['A="two\\nlines"', 'two\nlines'],
  ["A='two\\nlines'", 'two\\nlines'],
  ['A="back\\\\slash"', 'back\\slash'],
  ['A=back\\slash', 'back\\slash'],
  ['A = spaced ', 'spaced'],
  ['export A=exported', 'exported'],
  ['A: yaml', 'yaml'],
  ['A=', ''],
  ['A=""', ''],
  ['A=with = sign', 'with = sign'],
  ['A=it"s', 'it"s'],
  ['B=x\nA=$B-y', 'x-y'],
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: what the file holds
  ['B=x\nA=${B}y', 'xy'],
  ['A=${NOT_THERE_AT_ALL:-z}', 'z'],
  ['B=\nA=${B:-z}', 'z'],
  ['B=\nA=${B-z}', ''],
  ['B=1\nA=${B:+z}', 'z'],
  ["A='${B}'", '${B}'],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: what the file holds
  ['# comment\n\nA=after', 'after'],
  ['\ufeffA=marked', 'marked'],
  ['A=first\nA=second', 'second'],
  ['A="first\nsecond"', 'first\nsecond'],
] as const;

test.each(lines)('%j', (text, expected) => expect(parseDotEnv(text).A).toBe(expected));

describe('refused, as by Compose', () => {
  test.each([
    ['A="never closed', /Line 1 .* A: the quote/],
    ['B=1\nthis is no line', /Line 2/],
    ['A=cost$', /single quotes/],
  ])('%j', (text, words) => {
    expect(() => parseDotEnv(text)).toThrow(DotEnvError);
    expect(() => parseDotEnv(text)).toThrow(words);
  });
});

test('what the process has wins, also inside of a reference', () => {
  expect(parseDotEnv('B=file\nA=$B', { B: 'process' })).toMatchObject({ A: 'process' });
});

const compose = (() => {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.runIf(compose)(
  'Docker Compose itself reads every line the same',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'dot-env-'));
    try {
      writeFileSync(
        join(folder, 'compose.yml'),
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own notation
        'services: { one: { image: none, environment: { A: "${A?}" } } }',
      );
      for (const [text, expected] of lines) {
        writeFileSync(join(folder, '.env'), text);
        const told = execFileSync('docker', ['compose', '-f', 'compose.yml', 'config', '--format', 'json'], {
          cwd: folder,
          env: { PATH: process.env.PATH, HOME: folder },
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        // What it prints can be read again as a Compose file: a $ is doubled there.
        const { A } = JSON.parse(String(told)).services.one.environment as { A: string };
        expect(A.replaceAll('$$', '$'), text).toBe(expected);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  120_000,
);

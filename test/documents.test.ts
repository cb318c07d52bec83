// What people read: the files that the README names exist, and the words are plain.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Files, unplainWords } from './kit/plain-words.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('every file that the README and CONTRIBUTING name exists', () => {
  const named = ['README.md', 'CONTRIBUTING.md'].flatMap((page) =>
    [...read(page).matchAll(/`((?:api|relay|worker|deploy|test|\.github|\.ci)\/[\w./-]*)`/g)].map(
      ([, path]) => path as string,
    ),
  );
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('no text that people read holds a phrase that was replaced by a plainer one', () => {
  const paths = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
  const files: Files = new Map(
    paths
      .filter((path) => /^(?:api|relay|worker|deploy)\/.*\.(?:ts|js|yml|json|md)$|^[A-Z]+\.md$/.test(path))
      .filter((path) => path !== 'CHANGELOG.md' && existsSync(join(root, path)))
      .map((path) => [path, read(path)]),
  );
  expect(unplainWords(files)).toEqual([]);
});

test.each([
  ['api/problem.ts', "title: 'There is no such thing',", 'There is no such thing'],
  ['README.md', 'A backup is older than the world.', 'older than the world'],
  ['api/a.ts', 'detail: `Three mails were sent.`,', 'Three mails'],
])('%s: %s is found', (file, text, phrase) => {
  expect(unplainWords(new Map([[file, text]]))).toEqual([`${file}: ${phrase}`]);
});

test.each([
  ['api/a.ts', '// Three mails wait; there is no such thing as a free session.'],
  ['api/a.ts', 'const mails = 3;'],
  ['api/a.ts', "import { mails } from './mails.ts';"],
])('%s: %s is no text that people read', (file, text) => {
  expect(unplainWords(new Map([[file, text]]))).toEqual([]);
});

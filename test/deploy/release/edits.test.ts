import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  mentioningFiles,
  previousReleaseFile,
  sectionOf,
  withPreviousRelease,
  withRelease,
  withVersion,
} from '../../../deploy/release/edits.ts';
import {
  billOfMaterials,
  differences,
  lockedPackages,
  spdxPackages,
} from '../../../deploy/release/packages.ts';

const root = join(import.meta.dirname, '..', '..', '..');

test('a release names its version in every file that names one, and nothing else changes', () => {
  for (const file of mentioningFiles) {
    const text = readFileSync(join(root, file), 'utf8');
    const released = withVersion(text, '9.8.7');
    expect(released).toContain('9.8.7');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(released.replaceAll('9.8.7', version)).toBe(text);
  }
});

test('what comes after a release is tested against it', () => {
  const text = readFileSync(join(root, previousReleaseFile), 'utf8');
  const [line] = withPreviousRelease(text, '9.8.7')
    .split('\n')
    .filter((each) => !text.includes(each));
  expect(line).toBe("const previous = { version: '9.8.7', revision: 'v9.8.7' };");
});

test('what was unreleased stands below the heading of the release, and nothing is unreleased', () => {
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- One.\n\n## [1.0.0] - 2026-01-01\n\n- Zero.\n';
  const released = withRelease(changelog, '1.1.0', '2026-02-03');
  expect(sectionOf(released, '1.1.0')?.trim()).toBe('### Added\n\n- One.');
  expect(sectionOf(released, 'Unreleased')?.trim()).toBe('');
  expect(sectionOf(released, '1.0.0')?.trim()).toBe('- Zero.');
  expect(sectionOf(released, '1.0')).toBeUndefined();
});

test('what ships is what the lock file has without development and optional packages', () => {
  const lock = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/pg': { version: '8.0.0' },
      'node_modules/a/node_modules/@scope/b': { version: '2.0.0' },
      'node_modules/vitest': { version: '4.0.0', dev: true },
      'node_modules/fsevents': { version: '2.0.0', optional: true },
      'node_modules/both': { version: '1.0.0', devOptional: true },
    },
  };
  expect(lockedPackages(lock)).toEqual(['@scope/b@2.0.0', 'pg@8.0.0']);
  expect(differences(lockedPackages(lock), ['@scope/b@2.0.1', 'pg@8.0.0'], 'the image')).toEqual([
    '@scope/b@2.0.0 is not in the image.',
    '@scope/b@2.0.1 is in the image only.',
  ]);
});

test('the bill of materials names every package that ships, with its hash', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const bill = billOfMaterials(lock, '1.0.0') as {
    components: { name: string; version: string; hashes: { content: string }[] }[];
  };
  expect(bill.components.map(({ name, version }) => `${name}@${version}`).sort()).toEqual(
    lockedPackages(lock),
  );
  for (const { hashes } of bill.components) expect(hashes[0]?.content).toMatch(/^[0-9a-f]{128}$/);
});

test('the bill that the registry has is read by its package addresses', () => {
  const locator = (referenceLocator: string) => ({ externalRefs: [{ referenceLocator }] });
  const packages = [
    locator('pkg:npm/%40scope/b@2.0.0'),
    locator('pkg:npm/pg@8.0.0?x=1'),
    locator('pkg:deb/a@1'),
    {},
  ];
  expect(spdxPackages({ packages })).toEqual(['@scope/b@2.0.0', 'pg@8.0.0']);
});

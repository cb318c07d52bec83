import { expect, test } from 'vitest';
import { type Release, reasonsAgainst } from '../../../deploy/release/reasons.ts';

const good: Release = {
  version: '1.3.0',
  mentions: { 'postern.yaml': "image: 'postern/postern:1.3.0'", 'kustomization.yaml': '    newTag: 1.3.0' },
  changelog:
    '# Changelog\n\n## [Unreleased]\n\n## [1.3.0] - 2026-03-01\n\n### Added\n\n- Something.\n\n### Upgrade notes\n\nNone.\n\n' +
    '## [1.2.0] - 2026-02-01\n\n### Added\n\n- Something else.\n',
  tags: ['v1.2.0', 'v1.1.10'],
  migrationChanges: 'A\tdeploy/migrations/000009_more.sql\n',
  uncommitted: '',
};

test('a release has nothing against it', () => {
  expect(reasonsAgainst(good)).toEqual([]);
});

test.each<[string, Partial<Release>]>([
  ['is not a version of three numbers', { version: '1.3' }],
  ['has been released already', { tags: ['v1.3.0'] }],
  ['v1.10.0 is newer than 1.3.0', { tags: ['v1.10.0'] }],
  ['postern.yaml names 1.2.0', { mentions: { 'postern.yaml': 'postern/postern:1.2.0' } }],
  ['postern.yaml names no version', { mentions: { 'postern.yaml': 'postern/postern:latest' } }],
  [
    'which is a placeholder',
    {
      mentions: {
        'postern.yaml': '# documentation: https://postern.example/docs\nimage: postern/postern:1.3.0',
      },
    },
  ],
  ['has no section', { changelog: good.changelog.replace(' - 2026-03-01', '') }],
  ['says nothing about 1.3.0', { changelog: good.changelog.replace('- Something.\n', '') }],
  ['no upgrade notes', { changelog: good.changelog.replace('### Upgrade notes\n\nNone.\n', '') }],
  [
    'still has unreleased entries',
    { changelog: good.changelog.replace('[Unreleased]\n', '[Unreleased]\n\n- More.\n') },
  ],
  [
    'A released migration was changed: deploy/migrations/000001_mail.sql',
    { migrationChanges: 'M\tdeploy/migrations/000001_mail.sql' },
  ],
  ['A released migration was changed', { migrationChanges: 'D\tdeploy/migrations/000002_customers.sql' }],
  ['changes that are not committed', { uncommitted: ' M README.md\n' }],
])('what stands against one is named: %s', (reason, change) => {
  expect(reasonsAgainst({ ...good, ...change })).toContainEqual(expect.stringContaining(reason));
});

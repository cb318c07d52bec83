// `npm run release -- 1.2.0` publishes a release from a clean checkout; `npm run release:check` says what stands against
// one, builds and looks into the image of this machine's platform, and lists what it did not run.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  mentioningFiles,
  previousReleaseFile,
  sectionOf,
  withPreviousRelease,
  withRelease,
  withVersion,
} from './edits.ts';
import { billOfMaterials, differences, type Lock, listed, lockedPackages, spdxPackages } from './packages.ts';
import { type Release, reasonsAgainst } from './reasons.ts';

type Spdx = Parameters<typeof spdxPackages>[0];

const root = dirname(dirname(import.meta.dirname));
const image = 'postern/postern';
const testTag = 'postern:release-check';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const write = (path: string, text: string) => writeFileSync(join(root, path), text);

/** Runs a program in the checkout; its errors are shown as they come. */
function run(program: string, ...argumentList: string[]): string {
  return execFileSync(program, argumentList, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function gather(): Release {
  const tags = run('git', 'tag', '--list', 'v*', '--sort=-version:refname').split('\n').filter(Boolean);
  const [last] = tags;
  return {
    version: (JSON.parse(read('package.json')) as { version: string }).version,
    mentions: Object.fromEntries(mentioningFiles.map((file) => [file, read(file)])),
    changelog: read('CHANGELOG.md'),
    tags,
    migrationChanges: last ? run('git', 'diff', '--name-status', last, '--', 'deploy/migrations') : '',
    uncommitted: run('git', 'status', '--porcelain'),
  };
}

const readLock = () => JSON.parse(read('package-lock.json')) as Lock;

function installedIn(imageTag: string): readonly string[] {
  const script = `
    const { readdirSync, readFileSync, existsSync } = require('node:fs');
    const walk = (folder) => existsSync(folder) ? readdirSync(folder).flatMap((name) => {
      const path = folder + '/' + name;
      if (name.startsWith('.')) return [];
      if (name.startsWith('@')) return walk(path);
      const { name: own, version } = JSON.parse(readFileSync(path + '/package.json', 'utf8'));
      return [own + '@' + version, ...walk(path + '/node_modules')];
    }) : [];
    console.log(JSON.stringify(walk('/app/node_modules')));`;
  return listed(JSON.parse(run('docker', 'run', '--rm', imageTag, 'node', '-e', script)) as string[]);
}

function dockerAnswers(): boolean {
  try {
    run('docker', 'version', '--format', '{{.Server.Version}}');
    return true;
  } catch {
    return false;
  }
}

const buildArguments = (version: string) => [
  ...['--file', 'deploy/Dockerfile', '--build-arg', `VERSION=${version}`],
  ...['--build-arg', `REVISION=${run('git', 'rev-parse', 'HEAD').trim()}`],
];

/** What only a release runs, in this order. */
function publishingSteps(version: string, notesFile: string, billFile: string): string[][] {
  return [
    [
      ...['docker', 'buildx', 'build', ...buildArguments(version), '--platform', 'linux/amd64,linux/arm64'],
      ...['--sbom=true', '--provenance=mode=max', '--tag', `${image}:${version}`, '--push', '.'],
    ],
    // As a stranger: a registry that asks for a login would stop everybody who pastes the template.
    ['docker', '--config', '/nonexistent', 'buildx', 'imagetools', 'inspect', `${image}:${version}`],
    ['git', 'push', 'origin', 'HEAD', `v${version}`],
    [
      ...['gh', 'release', 'create', `v${version}`, '--title', version, '--notes-file', notesFile],
      ...['deploy/coolify/postern.yaml', 'docker-compose.yml', billFile],
    ],
  ];
}

function check(): number {
  const release = gather();
  const faults = reasonsAgainst(release);
  const hasDocker = dockerAnswers();
  if (hasDocker) {
    run('docker', 'build', '--quiet', ...buildArguments(release.version), '--tag', testTag, '.');
    const wanted = lockedPackages(readLock());
    faults.push(...differences(wanted, installedIn(testTag), 'the image'));
    console.log(
      `Built the image for this platform; looked for the ${wanted.length} packages of its bill in it.`,
    );
  } else console.log('Not run here: the image (no Docker engine answers).');
  for (const step of publishingSteps(release.version, 'NOTES.md', 'bill-of-materials.json'))
    console.log(`Not run here: ${step.join(' ')}`);
  for (const fault of faults) console.error(fault);
  if (faults.length === 0)
    console.log(`${release.version} can be released: npm run release -- ${release.version}`);
  return faults.length === 0 ? 0 : 1;
}

/** @param version of the release; package.json and the files that name it are brought to it first */
function publish(version: string): number {
  if (run('git', 'status', '--porcelain').trim()) {
    console.error('There are changes that are not committed.');
    return 1;
  }
  if (sectionOf(read('CHANGELOG.md'), version) === undefined) {
    run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version');
    for (const file of mentioningFiles) write(file, withVersion(read(file), version));
    write(previousReleaseFile, withPreviousRelease(read(previousReleaseFile), version));
    write('CHANGELOG.md', withRelease(read('CHANGELOG.md'), version, new Date().toISOString().slice(0, 10)));
    run('git', 'commit', '--all', '--message', `Release ${version}`);
  }
  const release = gather();
  const reasons = reasonsAgainst(release);
  if (reasons.length > 0) {
    for (const reason of reasons) console.error(reason);
    console.error('Nothing was published. "git reset --hard HEAD~1" removes the commit of this release.');
    return 1;
  }
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Postern ${version}`);
  const [notesFile, billFile] = ['.git/release-notes.md', '.git/bill-of-materials.json'];
  write(notesFile, sectionOf(release.changelog, version) ?? '');
  write(billFile, JSON.stringify(billOfMaterials(readLock(), version), null, 2));
  for (const [program = '', ...argumentList] of publishingSteps(version, notesFile, billFile)) {
    console.log(`${program} ${argumentList.join(' ')}`);
    run(program, ...argumentList);
  }
  const attached = ['docker', 'buildx', 'imagetools', 'inspect', `${image}:${version}`, '--format'] as const;
  const platforms = JSON.parse(run(...attached, '{{json .SBOM}}')) as Record<string, { SPDX: Spdx }>;
  const faults = Object.entries(platforms).flatMap(([platform, { SPDX }]) =>
    differences(lockedPackages(readLock()), spdxPackages(SPDX), `the bill of ${platform}`),
  );
  for (const fault of faults) console.error(fault);
  console.log(`${version} is published.`);
  return faults.length === 0 ? 0 : 1;
}

const [command, version] = process.argv.slice(2);
if (command === 'check') process.exitCode = check();
else if (command === 'publish' && /^\d+\.\d+\.\d+$/.test(version ?? '')) {
  process.exitCode = publish(version as string);
} else {
  console.error('npm run release -- 1.2.0, or npm run release:check');
  process.exitCode = 2;
}

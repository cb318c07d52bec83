import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  environmentTrespasses,
  importsOf,
  importTrespasses,
  nameTrespasses,
  relayRooms,
  relayTrespasses,
} from './kit/architecture.ts';

const root = join(import.meta.dirname, '..');
const scripts = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts;

describe('this checkout', () => {
  // What other applications copy is no part of a process of ours.
  const sources = globSync('{api,relay,worker,deploy,test}/**/*.{ts,mjs}', { cwd: root })
    .filter((path) => !path.startsWith('deploy/use-it-from/'))
    .sort();
  const files = new Map(sources.map((path) => [path, readFileSync(join(root, path), 'utf8')]));

  test('has files in every room', () => {
    for (const room of ['api', 'relay', 'relay/client', 'worker', 'deploy', 'test']) {
      expect(sources.filter((path) => path.startsWith(`${room}/`)).length, room).toBeGreaterThan(0);
    }
  });

  test('imports across rooms only where the table allows it, and each library only where it is at home', () => {
    expect(importTrespasses(files)).toEqual([]);
  });

  test('imports across the rooms inside relay only where their table allows it', () => {
    expect(relayTrespasses(files)).toEqual([]);
    const rooms = sources.flatMap((path) => /^relay\/([^/]+)\//.exec(path)?.[1] ?? []);
    expect(new Set([...Object.keys(relayRooms), 'client'])).toEqual(new Set(rooms));
  });

  test('reads process.env only where a process starts', () => {
    expect(environmentTrespasses(files, scripts)).toEqual([]);
  });

  test('holds at its top exactly what belongs there, and no drawer for anything', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
    expect(nameTrespasses(tracked)).toEqual([]);
  });
});

describe('imports', () => {
  test.each([
    ["import { a } from '../a.ts';", ['../a.ts']],
    ["import type { A } from '../a.ts';", ['../a.ts']],
    ["import {\n  type A,\n  b,\n} from '../a.ts';", ['../a.ts']],
    ["import a, * as b from 'pg';", ['pg']],
    ["import '../a.ts';", ['../a.ts']],
    ["export * from '../a.ts';", ['../a.ts']],
    ["export type { A } from '../a.ts';", ['../a.ts']],
    ["const a = await import('../a.ts');", ['../a.ts']],
    ["type A = import('../a.ts').A;", ['../a.ts']],
    ["const a = require('pg');", ['pg']],
    ["const a = 1; /* why */ await import(\n  '../a.ts'\n);", ['../a.ts']],
    ["// import { a } from '../a.ts';", []],
    ["/*\nimport { a } from '../a.ts';\n*/", []],
    ['const url = "https://example.com"; await import("../a.ts");', ['../a.ts']],
    ["const words = 'import { a } from b';", []],
    ["const script = `\nimport a from 'b';\nrequire('c');`;", []],
    ["const quoted = /['\"`]/;\nimport a from '../a.ts';", ['../a.ts']],
    [`await import(\`../\${name}.ts\`);`, [`../\${name}.ts`]],
    ['await import(join(folder, name));', ['join(folder, name']],
  ])('%s', (text, expected) => {
    expect(importsOf(text)).toEqual(expected);
  });

  const trespass = (file: string, target: string) =>
    importTrespasses(new Map([[file, `import '${target}';`]]));

  test.each([
    ['api/app.ts', '../relay/client/email.ts'],
    ['api/app.ts', '../deploy/log.ts'],
    ['api/customers/create.ts', '../problem.ts'],
    ['api/main.ts', '../package.json'],
    ['api/app.ts', 'express'],
    ['api/app.ts', 'node:http'],
    ['worker/drain.ts', '../relay/client/email.ts'],
    ['worker/main.ts', 'graphile-worker'],
    ['relay/server.ts', './client/email.ts'],
    ['relay/server.ts', 'smtp-server'],
    ['relay/client/compose.ts', 'nodemailer/lib/mail-composer/index.js'],
    ['relay/client/email.ts', '../../deploy/database.ts'],
    ['deploy/database.ts', 'pg'],
    ['test/kit/provider.ts', '../../relay/verdict/verdict.ts'],
    ['test/api/app.test.ts', 'vitest'],
  ])('%s may import %s', (file, target) => {
    expect(trespass(file, target)).toEqual([]);
  });

  test.each([
    ['api/app.ts', '../relay/server.ts', 'relay/server.ts'],
    ['api/app.ts', '../worker/drain.ts', 'worker/drain.ts'],
    ['api/app.ts', '../test/kit/until.ts', 'test/kit/until.ts'],
    ['worker/drain.ts', '../api/app.ts', 'api/app.ts'],
    ['worker/drain.ts', '../relay/delivery/queue/claim.ts', 'relay/delivery/queue/claim.ts'],
    ['relay/server.ts', '../api/app.ts', 'api/app.ts'],
    ['relay/client/email.ts', '../server.ts', 'relay/server.ts'],
    ['deploy/log.ts', '../relay/client/email.ts', 'relay/client/email.ts'],
    ['deploy/log.ts', '../package-lock.json', 'package-lock.json'],
    ['api/app.ts', 'pg', 'the library pg'],
    ['relay/server.ts', 'express', 'the library express'],
    ['relay/client/email.ts', 'smtp-server', 'the library smtp-server'],
    ['worker/drain.ts', 'nodemailer', 'the library nodemailer'],
    ['deploy/log.ts', 'zod', 'the library zod'],
    ['test/api/app.test.ts', 'express', 'the library express'],
    ['api/app.ts', 'left-pad', 'the library left-pad'],
    ['api/app.ts', '@scope/left-pad/deep', 'the library @scope/left-pad'],
    ['api/app.ts', 'fs', 'the library fs'],
  ])('%s may not import %s', (file, target, named) => {
    expect(trespass(file, target)).toEqual([`${file} imports ${named}`]);
  });

  test('a relative import says .ts', () => {
    expect(trespass('api/app.ts', './problem')).toEqual(['api/app.ts imports ./problem without .ts']);
    expect(trespass('api/app.ts', './problem.js')).toEqual(['api/app.ts imports ./problem.js without .ts']);
  });

  test('an import whose name is computed is refused in every room', () => {
    const computed = new Map([['relay/server.ts', 'await import(join(folder, name));']]);
    expect(importTrespasses(computed)).toEqual([expect.stringContaining('relay/server.ts imports')]);
  });
});

describe('the rooms inside relay', () => {
  const trespass = (file: string, target: string, exceptions: readonly string[] = []) =>
    relayTrespasses(new Map([[file, `import '${target}';`]]), exceptions);

  test('import one way: each only rooms that stand before it in the table', () => {
    const names = Object.keys(relayRooms);
    for (const [room, allowed] of Object.entries(relayRooms)) {
      const before = names.slice(0, names.indexOf(room));
      expect(before, room).toEqual(expect.arrayContaining([...allowed]));
    }
  });

  test.each([
    ['relay/main.ts', './delivery/delivery.ts'],
    ['relay/delivery/delivery.ts', '../policy/senders.ts'],
    ['relay/delivery/delivery.ts', './queue/claim.ts'],
    ['relay/delivery/queue/claim.ts', '../../queue-id.ts'],
    ['relay/doctor/walk.ts', '../client/status/heartbeat.ts'],
    ['relay/client/status/heartbeat.ts', '../vocabulary.ts'],
  ])('%s may import %s', (file, target) => {
    expect(trespass(file, target)).toEqual([]);
  });

  test.each([
    ['relay/delivery/notices/write.ts', '../../submission/received.ts', 'relay/submission/received.ts'],
    ['relay/submission/listen.ts', '../delivery/delivery.ts', 'relay/delivery/delivery.ts'],
    ['relay/doctor/walk.ts', '../delivery/settings.ts', 'relay/delivery/settings.ts'],
    ['relay/delivery/delivery.ts', '../verdict/rules/auth.ts', 'relay/verdict/rules/auth.ts'],
    ['relay/main.ts', './delivery/queue/claim.ts', 'relay/delivery/queue/claim.ts'],
    ['relay/delivery/delivery.ts', '../main.ts', 'relay/main.ts'],
    ['relay/drawer/a.ts', '../policy/senders.ts', 'relay/policy/senders.ts'],
  ])('%s may not import %s', (file, target, named) => {
    expect(trespass(file, target)).toEqual([`${file} imports ${named}`]);
  });

  test('an exception lets its import pass, and is reported when nothing needs it', () => {
    const exceptions = ['doctor imports delivery'];
    expect(trespass('relay/doctor/walk.ts', '../delivery/settings.ts', exceptions)).toEqual([]);
    expect(trespass('relay/doctor/walk.ts', '../smtp/session.ts', exceptions)).toEqual([
      'the exception "doctor imports delivery" is not needed',
    ]);
  });
});

describe('the environment', () => {
  const trespass = (file: string, text: string) =>
    environmentTrespasses(new Map([[file, text]]), { start: 'node deploy/local.ts', prestart: 'node a.mjs' });

  test.each([
    'relay/main.ts',
    'relay/stand-in/main.ts',
    'deploy/local.ts',
    'deploy/local/plan.ts',
    'test/kit/a.ts',
  ])('%s may read it', (file) => expect(trespass(file, 'run(process.env)')).toEqual([]));

  test.each([
    'run(process.env)',
    "run(process['env'])",
    'const { env } = process;',
    "import { env } from 'node:process';",
    'globalThis.process?.env.A',
  ])('nobody else may: %s', (text) => {
    expect(trespass('relay/server.ts', text)).toEqual(['relay/server.ts reads process.env']);
  });

  test('a comment may speak of it', () => {
    expect(trespass('deploy/process.ts', '/** `process.env` is read by main.ts */')).toEqual([]);
  });
});

describe('names', () => {
  test.each([
    ['src/app.ts', ['src does not belong at the top', 'src is a drawer for anything']],
    ['scripts/run.sh', ['scripts does not belong at the top']],
    ['relay/utils/date.ts', ['utils is a drawer for anything']],
    ['relay/helpers.ts', ['helpers is a drawer for anything']],
    ['.ci/run', []],
    ['relay/client/email.ts', []],
    ['docker-compose.yml', []],
  ])('%s', (path, expected) => {
    expect(nameTrespasses([path])).toEqual(expected);
  });
});

import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  environmentTrespasses,
  importsOf,
  importTrespasses,
  nameTrespasses,
  operationTrespasses,
  relayRooms,
  relayTrespasses,
} from './kit/architecture.ts';
import { circleTrespasses } from './kit/import-circles.ts';
import { lengthTrespasses, longest, longFunctionsOf } from './kit/long-functions.ts';

const root = join(import.meta.dirname, '..');
const scripts = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts;

// What is being cut: whoever cuts it takes it from the list.
const longFunctions: string[] = [];
const importCircles: string[] = [];

describe('this checkout', () => {
  // What other applications copy is no part of a process of ours.
  const sources = globSync('{api,relay,worker,deploy,test}/**/*.{ts,mjs}', { cwd: root })
    .filter((path) => !path.startsWith('deploy/use-it-from/'))
    .sort();
  const files = new Map(sources.map((path) => [path, readFileSync(join(root, path), 'utf8')]));

  // The processes and what the browser runs, without the tests.
  const product = new Map([
    ...[...files].filter(([path]) => !path.startsWith('test/')),
    ...globSync('api/dashboard/pages/*.js', { cwd: root }).map(
      (path) => [path, readFileSync(join(root, path), 'utf8')] as const,
    ),
  ]);

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

  test('has no function that is too long to be read at once, unless the comment above it says why', () => {
    expect(lengthTrespasses(product, longFunctions)).toEqual([]);
  });

  test('declares each operation of the API in a file of its own', () => {
    expect(operationTrespasses(files)).toEqual([]);
  });

  test('has no circle of imports', () => {
    expect(circleTrespasses(product, importCircles)).toEqual([]);
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
    ['api/customers/create-customer.ts', '../problem.ts'],
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
    ['relay/delivery/queue/claim.ts', '../../client/queue-id.ts'],
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

describe('operations', () => {
  const trespass = (file: string, declared: string) =>
    operationTrespasses(new Map([[file, `return changes({\n    id: ${declared},\n`]]));

  test.each([
    ['api/emails/send-email.ts', "'sendEmail'"],
    ['api/templates/get-template.ts', `\`get\${template.name}Template\``],
    ['test/api/group.test.ts', "'sendEmail'"],
  ])('%s may declare %s', (file, declared) => {
    expect(trespass(file, declared)).toEqual([]);
  });

  test.each([
    ['api/emails/operations.ts', "'sendEmail'", 'sendEmail, which belongs in send-email.ts'],
    ['api/emails/send-email.ts', "'sendEmails'", 'sendEmails, which belongs in send-emails.ts'],
  ])('%s may not declare %s', (file, declared, said) => {
    expect(trespass(file, declared)).toEqual([`${file} declares ${said}`]);
  });
});

describe('long functions', () => {
  const lines = (count: number) => 'work();\n'.repeat(count);
  const asFunction = (count: number) => `function deliver() {\n${lines(count - 2)}}`;

  test('one may have so many lines, and no more', () => {
    expect(longFunctionsOf('a.ts', asFunction(longest))).toEqual([]);
    expect(longFunctionsOf('a.ts', asFunction(longest + 1))).toEqual([
      { name: 'deliver', lines: longest + 1 },
    ]);
  });

  test.each([
    ['deliver', (body: string) => `const deliver = async () => {\n${body}};`],
    ['deliver', (body: string) => `export const lane = {\n  deliver() {\n${body}  },\n};`],
    ['deliver', (body: string) => `export const lane = {\n  deliver: function () {\n${body}  },\n};`],
    ['deliver', (body: string) => `class Lane {\n  async deliver(): Promise<void> {\n${body}  }\n}`],
    ['a function given to run', (body: string) => `await run('relay', () => {\n${body}});`],
  ])('%s is found as %s', (name, write) => {
    expect(longFunctionsOf('a.ts', write(lines(longest)))).toEqual([{ name, lines: longest + 2 }]);
  });

  test('one inside of another is found as well', () => {
    const both = `function open() {\n${asFunction(longest + 1)}\n}`;
    expect(longFunctionsOf('a.ts', both).map(({ name }) => name)).toEqual(['open', 'deliver']);
  });

  test.each([
    ['// Long because its steps share one connection.\n', 0],
    ['/**\n * Delivers.\n *\n * Long because its steps share one connection.\n */\n', 0],
    ['// Long because its steps share one connection.\n\n', 1],
    ['// Long because\n', 1],
    ['// It is long.\n', 1],
  ])('a reason above it counts, and nothing else: %j', (comment, found) => {
    expect(longFunctionsOf('a.ts', `${comment}export ${asFunction(longest + 1)}`)).toHaveLength(found);
  });

  test('an exception is for what is there', () => {
    const files = new Map([['a.ts', asFunction(longest + 1)]]);
    expect(lengthTrespasses(files)).toEqual(['a.ts deliver has 81 lines and does not say why']);
    expect(lengthTrespasses(files, ['deliver'])).toEqual([]);
    expect(lengthTrespasses(files, ['deliver', 'claim'])).toEqual([
      'claim is an exception that is not needed',
    ]);
  });
});

describe('circles of imports', () => {
  const circles = (files: Record<string, string>, exceptions: readonly string[] = []) =>
    circleTrespasses(new Map(Object.entries(files)), exceptions);
  const two = {
    'api/a.ts': "import { b } from './emails/b.ts';",
    'api/emails/b.ts': "import type { A } from '../a.ts';",
  };
  const way = 'api/a.ts → api/emails/b.ts → api/a.ts';

  test('two files are one, also by their types only', () => {
    expect(circles(two)).toEqual([way]);
  });

  test('three are one, and who only leads there is not in it', () => {
    const files = {
      'api/a.ts': "import './b.ts';",
      'api/b.ts': "import './c.ts';",
      'api/c.ts': "export { d } from './d.ts';",
      'api/d.ts': "import './b.ts';",
    };
    expect(circles(files)).toEqual(['api/b.ts → api/c.ts → api/d.ts → api/b.ts']);
  });

  test('two ways to one file are none', () => {
    const files = {
      'api/a.ts': "import './b.ts';\nimport './c.ts';",
      'api/b.ts': "import './c.ts';",
      'api/c.ts': "import 'node:fs';",
    };
    expect(circles(files)).toEqual([]);
  });

  test('an exception is for what is there', () => {
    expect(circles(two, [way])).toEqual([]);
    expect(circles({}, [way])).toEqual([`${way} is an exception that is not needed`]);
  });
});

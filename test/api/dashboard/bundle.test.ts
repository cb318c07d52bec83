// The modules of the pages as one script.
import { expect, test } from 'vitest';
import { bundle } from '../../../api/dashboard/bundle.ts';

const run = (modules: Record<string, string>, entry = 'main.js') => {
  const told: unknown[] = [];
  new Function('tell', bundle(new Map(Object.entries(modules)), entry))((value: unknown) => told.push(value));
  return told;
};

test('each module runs once, after those that it imports, and sees no name that it did not import', () => {
  expect(
    run({
      'main.js':
        "import lib from 'lib';\nimport {\n  a,\n  b as c,\n} from './a.js';\nimport { d } from './d.js';\ntell([lib(), a, c(), d, typeof hidden]);",
      'a.js':
        "import { d } from './d.js';\nconst hidden = 1;\nexport const a = d + hidden;\nexport async function* many() {}\nexport function b() { return 'b'; }",
      'd.js': "tell('d');\nexport class Late {}\nexport let d = 4;",
      lib: 'var x=1;export{x as one};export default function(){return x}\n//# sourceMappingURL=x.map',
    }),
  ).toEqual(['d', [1, 5, 'b', 4, 'undefined']]);
});

test.each([
  [
    'a circle',
    { 'main.js': "import { a } from './a.js';", 'a.js': "import { b } from './main.js';" },
    'main.js → a.js → main.js',
  ],
  [
    'a module that is not there',
    { 'main.js': "import { a } from './a.js';" },
    'main.js imports a.js, which is not there',
  ],
  [
    'another form',
    { 'main.js': "import * as a from './a.js';" },
    'main.js has a form of import or export that is not known',
  ],
  ['another form of export', { 'main.js': "export * from './a.js';" }, 'is not known'],
])('%s is an error', (_what, modules, message) => {
  expect(() => run(modules)).toThrow(message);
});

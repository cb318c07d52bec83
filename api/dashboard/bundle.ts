// The modules of the pages as one script, so that a browser asks once. Each becomes a function of those that it imports,
// in the order of their imports; the words of each stay as they were written. Only the forms of import and export that
// the pages and their libraries use are known here, and any other is an error at the start.
import { posix } from 'node:path';

/** Name to source, such as `main.js`; a library is known by the name that it is imported by. */
export type Modules = ReadonlyMap<string, string>;

const importForm = /^import\s*(?:(\w+)|\{([^}]*)\})\s*from\s*['"]([^'"]+)['"];?/gm;
const declaredExport = /^export (?=(?:async )?(?:function\*?|class|const|let) (\w+))/gm;
const listedExport = /(?<=^|[;}])export\s*\{([^}]*)\};?/m;
const defaultExport = /\bexport default\b/;
const unknownForm = /^(?:import|export)\b(?!\()/m;

/** @param entry the module that everything is reached from */
export function bundle(modules: Modules, entry: string): string {
  const written = new Map<string, string>();
  const parts: string[] = [];
  const open: string[] = [];

  function visit(name: string): string {
    const known = written.get(name);
    if (known !== undefined) return known;
    if (open.includes(name)) throw new Error(`Modules import each other: ${[...open, name].join(' → ')}`);
    const source = modules.get(name);
    if (source === undefined)
      throw new Error(`${open.at(-1) ?? 'The page'} imports ${name}, which is not there`);
    open.push(name);
    const { code, imports, exports } = take(source, name);
    const given = imports.map(({ from }) => visit(from));
    open.pop();
    const variable = `module${written.size}`;
    written.set(name, variable);
    parts.push(
      `// ${name}\nconst ${variable} = ((${imports.map(({ names }) => names).join(', ')}) => {\n${code}\n` +
        `return { ${exports.join(', ')} };\n})(${given.join(', ')});`,
    );
    return variable;
  }
  visit(entry);
  return `'use strict';\n${parts.join('\n')}\n`;
}

type Taken = {
  readonly code: string;
  readonly imports: readonly { readonly from: string; readonly names: string }[];
  readonly exports: readonly string[];
};

/** One module without its imports and exports, and what they were. */
function take(source: string, name: string): Taken {
  const imports: { from: string; names: string }[] = [];
  const exports: string[] = [];
  let code = source
    // What stands behind the last line is for tools that look for other files.
    .replaceAll(/^\/\/# sourceMappingURL=.*$/gm, '')
    .replaceAll(importForm, (_, whole: string | undefined, listed: string | undefined, from: string) => {
      const names = whole === undefined ? `{ ${renamed(listed ?? '', ': ')} }` : `{ default: ${whole} }`;
      imports.push({ from: from.startsWith('.') ? posix.normalize(from) : from, names });
      return '';
    })
    .replaceAll(declaredExport, (_, exported: string) => {
      exports.push(exported);
      return '';
    });
  const list = listedExport.exec(code);
  if (list) {
    code = code.replace(listedExport, '');
    for (const each of (list[1] ?? '').split(',').filter((text) => text.trim() !== '')) {
      const [own = '', given = own] = each.trim().split(/\s+as\s+/);
      exports.push(`${given}: ${own}`);
    }
  }
  if (defaultExport.test(code)) {
    code = code.replace(defaultExport, 'const theDefault =');
    exports.push('default: theDefault');
  }
  const unknown = unknownForm.exec(code);
  if (unknown)
    throw new Error(
      `${name} has a form of import or export that is not known: ${code.slice(unknown.index, unknown.index + 80)}`,
    );
  return { code, imports, exports };
}

/** `a as b` as a pattern says it: `a: b`. */
const renamed = (list: string, joint: string) =>
  list
    .split(',')
    .map((each) => each.trim().replace(/\s+as\s+/, joint))
    .filter((each) => each !== '')
    .join(', ');

// Functions that are too long to be read at once. One may be: then a comment above it says why.
import { ts } from '@ts-morph/common';
import type { Files } from './architecture.ts';

/** Lines, from the first of its signature to its last brace. */
export const longest = 80;

/** `// Long because its steps share one connection.` in the comment above the function. */
const reason = /\bLong because \S/;

export type LongFunction = { readonly name: string; readonly lines: number };

/**
 * Sentences about functions that are too long without a reason.
 *
 * @param exceptions their names, while somebody is cutting them; one that is not needed is a trespass as well
 */
export function lengthTrespasses(files: Files, exceptions: readonly string[] = []): string[] {
  const found = [...files].flatMap(([file, text]) =>
    longFunctionsOf(file, text).map((each) => ({ file, ...each })),
  );
  return [
    ...found
      .filter(({ name }) => !exceptions.includes(name))
      .map(({ file, name, lines }) => `${file} ${name} has ${lines} lines and does not say why`),
    ...exceptions
      .filter((name) => found.every((each) => each.name !== name))
      .map((name) => `${name} is an exception that is not needed`),
  ];
}

/** The functions of a file that are too long and have no reason above them. */
export function longFunctionsOf(file: string, text: string): LongFunction[] {
  const lines = text.split('\n');
  if (lines.length <= longest) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const found: LongFunction[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const first = lineOf(node.getStart(source));
      const length = lineOf(node.end) - first + 1;
      if (length > longest && !reason.test(commentAbove(lines, first)))
        found.push({ name: nameOf(node, source), lines: length });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The lines of comment that end directly above the line. */
function commentAbove(lines: readonly string[], line: number): string {
  const comment: string[] = [];
  for (let at = line - 1; at >= 0 && /^\s*(?:\/\/|\/?\*)/.test(lines[at] ?? ''); at--)
    comment.unshift(lines[at] as string);
  return comment.join('\n');
}

/** Its own name, that of the variable or member that holds it, or that of the function it is given to. */
function nameOf(node: ts.Node & { name?: ts.Node }, source: ts.SourceFile): string {
  if (node.name) return node.name.getText(source);
  const { parent } = node as { parent: ts.Node & { name?: ts.Node } };
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return parent.name.getText(source);
  if (ts.isCallExpression(parent)) return `a function given to ${parent.expression.getText(source)}`;
  return 'a function';
}

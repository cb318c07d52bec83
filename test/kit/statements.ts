// Every SQL statement that a process can send, read from its source: what is reached from its main file, declaration by
// declaration. So a statement that no test happens to send is checked as well.
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { ts } from '@ts-morph/common';

export type SqlStatement = {
  /** `relay/client/outbox/probe.ts probeSenderNow` */
  readonly place: string;
  /** Undefined where the source alone does not tell it. */
  readonly text: string | undefined;
};

export const isWhole = (statement: SqlStatement): statement is SqlStatement & { readonly text: string } =>
  statement.text !== undefined;

type Module = {
  readonly path: string;
  readonly declarations: ReadonlyMap<string, ts.Statement>;
  /** What runs when the module is loaded. */
  readonly body: readonly ts.Statement[];
  /** By local name: the module and the name there. */
  readonly imports: ReadonlyMap<string, { readonly path: string; readonly name: string }>;
};

const root = join(import.meta.dirname, '../..');
const sql =
  /^\s*(?:--[^\n]*\s+)*(?:with\s+(?:recursive\s+)?(?:\w+(?:\s*\([\w\s,]+\))?\s+as\b|$)|select\s|insert into\s|update\s+(?:\w+\s+)?(?:\w+\s+)?set\b|update\s+$|delete from(?:\s|$))/;

/** The statements that are reached from these files, such as `api/main.ts`. */
export function statementsOf(mains: readonly string[]): SqlStatement[] {
  const modules = new Map<string, Module>();
  const load = (path: string): Module => {
    const known = modules.get(path) ?? parse(path);
    modules.set(path, known);
    return known;
  };
  const found = new Map<string, SqlStatement>();
  const seen = new Set<ts.Node>();

  function visit(module: Module, name: string, node: ts.Statement): void {
    if (seen.has(node)) return;
    seen.add(node);
    for (const { literal, text } of sqlIn(node, module, load)) {
      found.set(`${module.path}:${literal.pos}`, { place: `${module.path} ${name}`, text });
    }
    for (const identifier of identifiersIn(node)) reach(module, identifier);
  }
  function reach(module: Module, name: string): void {
    const own = module.declarations.get(name);
    const imported = module.imports.get(name);
    if (own) visit(module, name, own);
    else if (imported) enter(imported.path, imported.name);
  }
  function enter(path: string, name?: string): void {
    const module = load(path);
    for (const statement of module.body) visit(module, 'at its start', statement);
    if (name !== undefined) reach(module, name);
  }
  for (const main of mains) enter(main);
  return [...found.values()];
}

function parse(path: string): Module {
  const source = ts.createSourceFile(
    path,
    readFileSync(join(root, path), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const declarations = new Map<string, ts.Statement>();
  const imports = new Map<string, { path: string; name: string }>();
  const body: ts.Statement[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) {
      for (const [local, target] of importsOf(statement, path)) imports.set(local, target);
    } else if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations)
        for (const identifier of identifiersIn(name)) declarations.set(identifier, statement);
    } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      declarations.set(statement.name?.text ?? 'default', statement);
    } else if (ts.isExpressionStatement(statement)) {
      body.push(statement);
    }
  }
  return { path, declarations, body, imports };
}

function importsOf(
  statement: ts.ImportDeclaration | ts.ExportDeclaration,
  path: string,
): [string, { path: string; name: string }][] {
  const from = statement.moduleSpecifier;
  if (!from || !ts.isStringLiteral(from) || !from.text.startsWith('.') || !from.text.endsWith('.ts'))
    return [];
  const target = posix.join(posix.dirname(path), from.text);
  const names = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : statement.exportClause;
  if (!names || ts.isNamespaceImport(names) || ts.isNamespaceExport(names)) return [];
  return names.elements.map((element) => [
    element.name.text,
    { path: target, name: (element.propertyName ?? element.name).text },
  ]);
}

function identifiersIn(node: ts.Node): Set<string> {
  const names = new Set<string>();
  const walk = (child: ts.Node) => {
    if (ts.isIdentifier(child)) names.add(child.text);
    ts.forEachChild(child, walk);
  };
  walk(node);
  return names;
}

type Loader = (path: string) => Module;

function sqlIn(node: ts.Statement, module: Module, load: Loader) {
  const found: { literal: ts.Node; text: string | undefined }[] = [];
  const walk = (child: ts.Node) => {
    const start = ts.isTemplateExpression(child)
      ? child.head.text
      : ts.isStringLiteralLike(child)
        ? child.text
        : '';
    if (sql.test(start))
      found.push({ literal: child, text: textOf(child as ts.Expression, { module, load, within: node }) });
    else ts.forEachChild(child, walk);
  };
  walk(node);
  return found;
}

type Scope = { readonly module: Module; readonly load: Loader; readonly within: ts.Node };

/** The text of a string whose parts are constants; undefined where one is known only when it runs. */
function textOf(node: ts.Expression, scope: Scope): string | undefined {
  if (ts.isStringLiteralLike(node) || ts.isNumericLiteral(node))
    return node.text.replaceAll('_', (under) => (ts.isNumericLiteral(node) ? '' : under));
  if (ts.isConditionalExpression(node)) return textOf(node.whenTrue, scope);
  if (ts.isParenthesizedExpression(node)) return textOf(node.expression, scope);
  if (ts.isIdentifier(node)) return constant(node.text, scope);
  if (ts.isBinaryExpression(node)) {
    const [left, right] = [textOf(node.left, scope), textOf(node.right, scope)];
    if (left === undefined || right === undefined) return undefined;
    if (/^\d+$/.test(left) && /^\d+$/.test(right)) return left;
    return node.operatorToken.kind === ts.SyntaxKind.PlusToken ? left + right : undefined;
  }
  if (!ts.isTemplateExpression(node)) return undefined;
  let text = node.head.text;
  for (const span of node.templateSpans) {
    const part = textOf(span.expression, scope);
    if (part === undefined) return undefined;
    text += part + span.literal.text;
  }
  return text;
}

function constant(name: string, scope: Scope): string | undefined {
  const local = initialiserOf(name, scope.within);
  if (local) return textOf(local, scope);
  const own = scope.module.declarations.get(name);
  if (own) {
    const value = initialiserOf(name, own);
    return value && textOf(value, { ...scope, within: own });
  }
  const imported = scope.module.imports.get(name);
  if (!imported) return undefined;
  const module = scope.load(imported.path);
  return constant(imported.name, {
    ...scope,
    module,
    within: module.declarations.get(imported.name) ?? scope.within,
  });
}

function initialiserOf(name: string, within: ts.Node): ts.Expression | undefined {
  let found: ts.Expression | undefined;
  const walk = (child: ts.Node) => {
    if (ts.isVariableDeclaration(child) && ts.isIdentifier(child.name) && child.name.text === name)
      found ??= child.initializer;
    ts.forEachChild(child, walk);
  };
  walk(within);
  return found;
}

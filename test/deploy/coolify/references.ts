// How Coolify finds variables in a Compose file: only at the start of a value, and with its own idea of operators.

/** `SERVICE_…` names that Coolify fills with a generated value. The type is told by the number of underscores. */
const generated = new Set([
  'PASSWORD',
  'PASSWORD_64',
  'PASSWORDWITHSYMBOLS',
  'PASSWORDWITHSYMBOLS_64',
  'BASE64',
  'BASE64_32',
  'BASE64_64',
  'BASE64_128',
  'REALBASE64',
  'REALBASE64_32',
  'REALBASE64_64',
  'REALBASE64_128',
  'HEX_32',
  'HEX_64',
  'HEX_128',
  'USER',
  'LOWERCASEUSER',
]);

/** `PASSWORD_64` for `SERVICE_PASSWORD_64_API`; undefined where Coolify has no generator and leaves it empty. */
export function generatorOf(name: string): string | undefined {
  const underscores = name.split('_').length - 1;
  if (underscores !== 2 && underscores !== 3) return undefined;
  const type = name.slice('SERVICE_'.length, name.lastIndexOf('_'));
  return generated.has(type) ? type : undefined;
}

export const isAddress = (name: string) => /^SERVICE_(?:URL|FQDN)_/.test(name);

/** Every variable a text mentions, wherever. */
export const mentioned = (text: string) =>
  [...text.matchAll(/(?<!\$)(?:\$\$)*\$\{?([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name]) => name as string);

export type Reference = {
  readonly name: string;
  readonly operator: ':-' | '-' | ':?' | '?' | undefined;
  /** What stands behind the operator; it may hold references of its own. */
  readonly rest: string;
};

/** The one reference at the start of a value that Coolify looks at; undefined when there is none. */
export function leadingReference(value: string): Reference | undefined {
  if (!value.startsWith('$') || value.startsWith('$$')) return undefined;
  const body = value.startsWith('${') ? insideBraces(value) : value.slice(1);
  if (!body) return undefined;
  // services.php, splitOnOperatorOutsideNested: it knows these four and takes the first it meets.
  let depth = 0;
  for (let at = 0; at < body.length; at++) {
    if (body[at] === '{') depth++;
    else if (body[at] === '}') depth--;
    if (depth !== 0) continue;
    const operator = ([':-', '-', ':?', '?'] as const).find((each) => body.startsWith(each, at));
    if (operator) return { name: body.slice(0, at), operator, rest: body.slice(at + operator.length) };
  }
  return { name: body, operator: undefined, rest: '' };
}

function insideBraces(text: string): string | undefined {
  let depth = 0;
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '{') depth++;
    if (text[at] === '}' && --depth === 0) return text.slice(2, at);
  }
  return undefined;
}

// How Docker Compose fills variables into a text: compose-go's template package, as far as Compose files use it.

/** Compose refuses the file: a required variable is missing, or a text is not a template. */
export class ComposeRefusal extends Error {
  override readonly name = 'ComposeRefusal';
}

type Lookup = (name: string) => string | undefined;

// compose-go v2, template/template.go: a dollar that starts none of these stays what it is, so `a$1b` survives.
const opening = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)(?:(\}|:?[-+?])|)|(\{))/i;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?words}`, `${NAME?words}`,
 * `${NAME:+other}`, `${NAME+other}` (nested as deep as one likes) and `$$`.
 *
 * @throws ComposeRefusal
 */
export function interpolate(text: string, lookup: Lookup): string {
  const found = opening.exec(text);
  if (!found) return text;
  const before = text.slice(0, found.index);
  const after = text.slice(found.index + found[0].length);
  const [, dollar, named, braced, operator] = found;

  if (dollar) return `${before}$${interpolate(after, lookup)}`;
  if (named) return before + (lookup(named) ?? '') + interpolate(after, lookup);
  if (!braced || !operator)
    throw new ComposeRefusal(`invalid interpolation format in ${JSON.stringify(text)}`);
  if (operator === '}') return before + (lookup(braced) ?? '') + interpolate(after, lookup);

  const end = closingBrace(after);
  if (end < 0) throw new ComposeRefusal(`invalid interpolation format in ${JSON.stringify(text)}`);
  const value = substitute(braced, operator, after.slice(0, end), lookup);
  return before + value + interpolate(after.slice(end + 1), lookup);
}

function substitute(name: string, operator: string, rest: string, lookup: Lookup): string {
  const value = lookup(name);
  const isThere = operator.startsWith(':') ? Boolean(value) : value !== undefined;
  switch (operator.at(-1)) {
    case '+':
      return isThere ? interpolate(rest, lookup) : '';
    case '?':
      if (isThere) return value ?? '';
      throw new ComposeRefusal(`required variable ${name} is missing a value: ${interpolate(rest, lookup)}`);
    default:
      return isThere ? (value ?? '') : interpolate(rest, lookup);
  }
}

/** The brace that ends a text which began inside one. */
function closingBrace(text: string): number {
  let depth = 1;
  for (let at = 0; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

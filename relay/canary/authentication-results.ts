// The field Authentication-Results (RFC 8601) as receivers write it. There is no library for it that is kept up; the
// grammar is small, and the dialects are what matters: Outlook leaves the name of the server out and writes domains in
// between, Yahoo leaves spaces out, iCloud writes one field for each check.

export type Method = 'spf' | 'dkim' | 'dmarc';

export type AuthenticationResult = {
  readonly method: Method;
  /** Lower case: pass, fail, softfail, none, temperror, … */
  readonly result: string;
  /** `header.d`, `header.i`, `header.s`, `header.from`, `smtp.mailfrom` and their kin, in lower case. */
  readonly properties: ReadonlyMap<string, string>;
  /** As it was written, with its comments. */
  readonly words: string;
};

const methods: ReadonlySet<string> = new Set<Method>(['spf', 'dkim', 'dmarc']);
const longestField = 4_096;
const mostResults = 30;

/** The results of one field, in its order; what is no SPF, DKIM or DMARC is left out. */
export function readAuthenticationResults(field: string): AuthenticationResult[] {
  const results: AuthenticationResult[] = [];
  for (const part of partsOf(field.slice(0, longestField))) {
    const bare = part.bare.trim();
    // RFC 8601 section 2.2: a method may name its version, and white space may stand around every sign.
    const [, name = '', result = ''] = /^([a-z][a-z0-9-]*)\s*(?:\/\s*\d+\s*)?=\s*([a-z]+)/i.exec(bare) ?? [];
    const method = name.toLowerCase();
    if (!methods.has(method) || results.length >= mostResults) continue;
    results.push({
      method: method as Method,
      result: result.toLowerCase(),
      properties: propertiesIn(bare),
      words: part.whole.trim().replaceAll(/\s+/g, ' '),
    });
  }
  return results;
}

function propertiesIn(text: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  const pattern = /\b(smtp|header|body|policy)\s*\.\s*([a-z][\w-]*)\s*=\s*(?:"([^"]*)"|([^\s;"]+))/gi;
  for (const [, type = '', name = '', quoted, plain = ''] of text.matchAll(pattern)) {
    properties.set(`${type}.${name}`.toLowerCase(), quoted ?? plain);
  }
  return properties;
}

type Part = { bare: string; whole: string };

/** Split at semicolons outside of quotes and comments; `bare` is without comments (RFC 5322 section 3.2.2). */
function partsOf(field: string): Part[] {
  const parts: Part[] = [{ bare: '', whole: '' }];
  let depth = 0;
  let isQuoted = false;
  for (let at = 0; at < field.length; at++) {
    const sign = field[at] ?? '';
    const part = parts.at(-1) as Part;
    if (sign === '\\' && (isQuoted || depth > 0)) {
      const pair = field.slice(at, at + 2);
      part.whole += pair;
      if (isQuoted) part.bare += pair.slice(1);
      at++;
      continue;
    }
    if (sign === '"' && depth === 0) isQuoted = !isQuoted;
    if (sign === '(' && !isQuoted) depth++;
    if (sign === ';' && !isQuoted && depth === 0) {
      parts.push({ bare: '', whole: '' });
      continue;
    }
    part.whole += sign;
    if (depth === 0) part.bare += sign;
    if (sign === ')' && !isQuoted && depth > 0) {
      depth--;
      if (depth === 0) part.bare += ' ';
    }
  }
  return parts;
}

// How Docker Compose reads a .env file: compose-go's dotenv package, statement by statement.
import { ComposeRefusal, interpolate } from './interpolation.ts';

/**
 * Reads the file into a map; later statements see earlier ones.
 *
 * @throws ComposeRefusal where Compose would refuse to start the whole stack.
 */
export function readDotenv(text: string): Map<string, string> {
  const read = new Map<string, string>();
  let rest = text.replaceAll('\r\n', '\n');
  for (;;) {
    rest = rest.replace(/^(?:\s|#[^\n]*(?:\n|$))+/, '');
    if (rest === '') return read;
    const [name, afterName] = takeName(rest);
    const [value, afterValue] = takeValue(afterName, (each) => read.get(each));
    read.set(name, value);
    rest = afterValue;
  }
}

function takeName(text: string): [name: string, rest: string] {
  const statement = text.replace(/^export\s+/, '');
  const found = /^([^=:\n]*)[=:]/.exec(statement);
  const name = found?.[1]?.trimEnd() ?? statement.split('\n', 1)[0] ?? '';
  const stray = /[^\w.\-[\]]/.exec(name);
  if (!found || stray) {
    throw new ComposeRefusal(
      `unexpected character ${JSON.stringify(stray?.[0] ?? '\n')} in variable name ${name}`,
    );
  }
  // Blanks before the value are skipped, line ends are not.
  return [name, statement.slice(found[0].length).replace(/^[^\S\n]+/, '')];
}

function takeValue(
  text: string,
  lookup: (name: string) => string | undefined,
): [value: string, rest: string] {
  const quote = text[0];
  if (quote !== "'" && quote !== '"') {
    const end = text.indexOf('\n');
    const line = end < 0 ? text : text.slice(0, end);
    const value = (line.split(' #', 1)[0] ?? '').trimEnd();
    return [interpolate(value, lookup), end < 0 ? '' : text.slice(end + 1)];
  }
  let value = '';
  for (let at = 1; at < text.length; at++) {
    if (text[at] === quote) {
      return [quote === '"' ? interpolate(unescaped(value), lookup) : value, text.slice(at + 1)];
    }
    // A backslash keeps the quote behind it from ending the value; before anything else it stays.
    if (text[at] === '\\' && text[at + 1] === quote) {
      value += quote;
      at++;
    } else if (text[at] === '\\' && at + 1 < text.length) {
      value += `\\${text[at + 1]}`;
      at++;
    } else {
      value += text[at];
    }
  }
  throw new ComposeRefusal(`unterminated quoted value ${text.slice(0, 20)}`);
}

const unescaped = (text: string) =>
  text.replace(/\\([abcfnrtv"\\$])/g, (_, character: string) =>
    character === 'n' ? '\n' : character === 't' ? '\t' : character === 'r' ? '\r' : character,
  );

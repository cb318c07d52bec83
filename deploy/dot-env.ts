// Reads a .env file by the rules of Docker Compose, so that `npm start`, the doctor and `docker compose up` see the
// same values. https://docs.docker.com/reference/compose-file/services/#env_file-format and compose-go's parser.

type Lookup = Readonly<Record<string, string | undefined>>;

/** The file cannot be read as Compose would read it. Names line and variable, never the value. */
export class DotEnvError extends Error {
  override readonly name = 'DotEnvError';
}

/**
 * @param environment what is set in the process: it wins, also inside of `${…}`
 * @throws DotEnvError where Compose refuses the file, too
 */
export function parseDotEnv(text: string, environment: Lookup = {}): Record<string, string> {
  const values: Record<string, string> = {};
  const lookup = (name: string) => environment[name] ?? values[name];
  let rest = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const line = () => text.split('\n').length - rest.split('\n').length + 1;

  for (rest = rest.trimStart(); rest !== ''; rest = rest.trimStart()) {
    if (rest.startsWith('#')) {
      rest = rest.replace(/^.*/, '');
      continue;
    }
    const head = /^(?:export[ \t]+)?([\p{L}\p{N}_.[\]-]+)[ \t]*([=:]|(?=\n)|$)[ \t\v\f\u0085\u00A0]*/u.exec(
      rest,
    );
    if (head === null) {
      throw new DotEnvError(`Line ${line()} of .env is not NAME=value. Compose refuses such a file, too.`);
    }
    const [whole, name = '', sign] = head;
    const where = `Line ${line()} of .env, ${name}`;
    rest = rest.slice(whole.length);
    // A name alone hands on what the process has.
    if (sign === '') continue;
    const quote = rest[0];
    if (quote === '"' || quote === "'") {
      const quoted = (quote === '"' ? /^"((?:\\[\s\S]|[^"\\])*)"/ : /^'((?:\\[\s\S]|[^'\\])*)'/).exec(rest);
      if (quoted === null) throw new DotEnvError(`${where}: the quote at its beginning is not closed.`);
      const inside = quoted[1] ?? '';
      rest = rest.slice(quoted[0].length);
      values[name] = quote === '"' ? expand(unescaped(inside), lookup, where) : inside.replaceAll("\\'", "'");
    } else {
      const [bare = ''] = /^.*/.exec(rest) ?? [];
      rest = rest.slice(bare.length);
      // Only a # behind a space begins a comment.
      values[name] = expand((bare.split(' #')[0] ?? '').trimEnd(), lookup, where);
    }
  }
  return values;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  // $$ is what stands for one $ below.
  $: '$$',
};

const unescaped = (text: string): string =>
  text.replaceAll(/\\([abfnrtv$"\\])/g, (_, letter: string) => escapes[letter] ?? letter);

const reference =
  /\$(?:(\$)|([a-z_]\w*)|\{([a-z_]\w*)(?:(:?[-?+])((?:[^{}$]|\$(?!\{)|\$\{[^{}]*\})*))?\}|)/gi;

/** `$NAME`, `${NAME}` and its forms with a default; an unset one is blank, and `$$` is one `$`. */
function expand(text: string, lookup: (name: string) => string | undefined, where: string): string {
  return text.replaceAll(
    reference,
    (whole, dollar?: string, plain?: string, braced?: string, operator?: string, word = '') => {
      if (dollar !== undefined) return '$';
      const name = plain ?? braced;
      if (name === undefined) {
        throw new DotEnvError(
          `${where}: a $ that begins no name. Put the value in single quotes, or write $$ for one $.`,
        );
      }
      const value = lookup(name);
      const isThere = operator?.startsWith(':') ? (value ?? '') !== '' : value !== undefined;
      if (operator === undefined) return value ?? '';
      if (operator.endsWith('+')) return isThere ? expand(word, lookup, where) : '';
      if (isThere) return value ?? whole;
      if (operator.endsWith('?')) throw new DotEnvError(`${where}: needs ${name}, which is not set.`);
      return expand(word, lookup, where);
    },
  );
}

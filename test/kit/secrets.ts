// The secrets a test file gives to processes or is given by the api, and everything that was written or answered since:
// after every file, `leftovers.ts` searches the one for the other.
import { listGiven } from '../../deploy/reading.ts';
import { variableTable } from '../../deploy/variables.ts';

type Secret = { readonly name: string; readonly forms: readonly string[]; readonly onlyIn?: 'output' };
type Seen = { readonly where: string; readonly kind: 'output' | 'answer'; readonly text: string };

const secrets = new Map<string, Secret>();
const seen: Seen[] = [];

/** Shorter ones would be found in innocent words. */
const shortest = 8;

function keep(name: string, text: string, more: Pick<Secret, 'onlyIn'> = {}): void {
  if (text.length < shortest || secrets.has(text)) return;
  const escaped = JSON.stringify(text).slice(1, -1);
  secrets.set(text, { name, forms: [...new Set([text, escaped, ...inBase64(text)])], ...more });
}

/** As it looks inside of something longer, such as AUTH PLAIN's user and password: by where it begins there. */
function inBase64(text: string): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.from('\0'.repeat(before) + text)
      .toString('base64')
      .replace(/=+$/, '');
    const isAligned = (before + Buffer.byteLength(text)) % 3 === 0;
    return encoded.slice(before === 0 ? 0 : before + 1, isAligned ? undefined : -1);
  });
}

/** Every secret variable of this environment, in whatever form it was given. */
export function keepSecretsOf(environment: Readonly<Record<string, string>>): void {
  for (const [name, variable] of Object.entries(variableTable)) {
    if (variable.secret !== true) continue;
    for (const { setAs, form, text } of listGiven(environment, name, variable)) {
      if (form === '_FILE') continue;
      const plain = form === '_BASE64' ? Buffer.from(text, 'base64').toString() : text;
      if (name === 'RELAY_USERS') {
        for (const user of plain.split(',')) keep(setAs, user.slice(user.indexOf(':') + 1));
      } else if (name === 'DATABASE_URL') {
        // A database's password may be an ordinary word: only where it stands in an address does it tell something.
        const password = /:\/\/[^:/@]*(:[^@]+@)/.exec(plain)?.[1];
        if (password !== undefined) keep(setAs, password);
      } else {
        keep(setAs, plain);
        if (text !== plain) keep(setAs, text);
      }
    }
  }
}

/** Tokens in mail that arrived: people find them there and nobody may find them in a log. */
export function keepTokensOf(raw: Buffer): void {
  // Megabytes come through here while others measure; an invitation is small.
  if (!raw.subarray(0, 65_536).includes('#token=')) return;
  const text = raw.toString('latin1', 0, 65_536).replaceAll(/=\r\n/g, '').replaceAll('=3D', '=');
  for (const [, token = ''] of text.matchAll(/#token=([\w-]{20,})/g))
    keep('an invitation token', token, { onlyIn: 'output' });
}

/** Access and refresh tokens that a server of the kit gives out. */
export function keepToken(token: string): void {
  keep('a token of the provider', token);
}

export function sawOutput(where: string, text: string): void {
  seen.push({ where, kind: 'output', text });
}

/** An answer of the api. The one that creates a key is the only one that may hold it. */
export function sawAnswer(where: string, status: number, text: string): void {
  seen.push({ where, kind: 'answer', text });
  if (status !== 201 || !/^POST \/api\/v1\/keys$/.test(where)) return;
  const { secret } = JSON.parse(text) as { secret?: unknown };
  seen.pop();
  if (typeof secret === 'string') keep('an API key that was created', secret);
}

/** What was found where, without the secret itself; everything is forgotten. */
export function findLeaks(): string[] {
  const leaks = seen.flatMap(({ where, kind, text }) =>
    [...secrets.values()]
      .filter(({ onlyIn }) => onlyIn === undefined || onlyIn === kind)
      .flatMap(({ name, forms }) => {
        const form = forms.find((candidate) => text.includes(candidate));
        return form === undefined
          ? []
          : [`${name} in ${where}: ${text.replaceAll(form, '[here]').slice(0, 400)}`];
      }),
  );
  seen.length = 0;
  secrets.clear();
  return [...new Set(leaks)];
}

// What deployment platforms, shells and people do to values on their way here: quotes that stayed, a comma that came
// along, a `${…}` nobody filled in. Each is named; none is repaired, because a wrong guess is worse than no guess.
import type { Finding, FindingCause } from './findings.ts';

export type Suspicion = { severity: Finding['severity']; problem: string; fix: string; cause: FindingCause };

const quotes = `"'\`“”‘’`;

/**
 * Finds the first thing a platform or a person left on the value. A password may hold any character,
 * so only what can hardly be meant is a problem there, and the rest a warning; what truly belongs to
 * it can be given as NAME_BASE64, which is not inspected.
 *
 * @param words those of a choice, which are right whatever they look like (`none`)
 */
export function inspect(
  text: string,
  { isPassword, words = [] }: { isPassword: boolean; words?: readonly string[] },
): Suspicion[] {
  if (words.includes(text)) return [];
  return [...inspectAny(text), ...(isPassword ? inspectPassword(text) : inspectPlain(text))].slice(0, 1);
}

/** What no value can hold, however it was given: line ends would end an SMTP command, NUL ends AUTH PLAIN's fields. */
export function inspectControlCharacters(text: string): Suspicion[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (!/[\u0000-\u001f\u007f]/.test(text)) return [];
  return [
    problem(
      /[\r\n]$/.test(text) ? 'ends in a line break' : 'contains a line break or another control character',
      'Enter the value again on one line, without pressing Enter at its end; encode it with printf, not echo.',
      'env-newline',
    ),
  ];
}

/** JSON has quotes and line ends of its own; a reference that was not replaced it has not. */
export function inspectJson(text: string): Suspicion[] {
  return /^\s*\{/.test(text) ? [] : inspectAny(text).slice(0, 1);
}

function inspectAny(text: string): Suspicion[] {
  const found = [...inspectInvisible(text), ...inspectControlCharacters(text)];
  if (text !== text.trim()) {
    found.push(
      problem('begins or ends with a space', 'Enter it again without the space.', 'env-trailing-char'),
    );
  }
  const [first = '', last = ''] = [text.at(0), text.at(-1)];
  if (text.length > 1 && quotes.includes(first) && quotes.includes(last)) {
    found.push(
      problem(
        'is wrapped in quotes',
        'Type the bare value: this platform keeps quotes as part of it.',
        'env-quoted',
      ),
    );
  }
  if (/\$\{|\{\{.*\}\}|\$\([^)]*\)|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$/.test(text)) {
    found.push(
      problem(
        'still contains a reference that was not replaced',
        'Type the value itself, or make sure that the reference names a variable that is set.',
        'env-interpolated',
      ),
    );
  }
  if (/^(?:undefined|null|none|nil|nan|\(null\)|\[object \w+\])$/i.test(text)) {
    found.push(
      problem(
        'is what a program writes when it has no value',
        'Type the real value, or leave the variable out.',
        'env-placeholder',
      ),
    );
  }
  if (
    /^(?:<[^@]*>|\[?(?:your|my)[-_ ]?(?:smtp|e?-?mail|app|api|provider|domain|host|server|user|login|pass|secret|key|from|name).*|(?:please[-_ ]?)?(?:change|replace|set|fill|insert|enter|put)[-_ ]?(?:me|this|it|in|your|here)\b.*|changeit|todo|tbd|fixme|x{3,}|\*{3,}|\.{3,}|…|placeholder|(?:smtp[-_ ]?)?(?:password|username|hostname)[-_ ]?(?:here|goes here))$/i.test(
      text,
    )
  ) {
    found.push(problem('is a placeholder', 'Type the real value.', 'env-placeholder'));
  }
  if (/^export\s+\S|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\s*=/.test(text)) {
    found.push(
      problem(
        'begins with a whole line of a file (export, or NAME=)',
        'Type only the part after the equals sign.',
        'env-leftover',
      ),
    );
  }
  return found;
}

const invisible: readonly (readonly [RegExp, string])[] = [
  [/(?! )\p{Zs}/u, 'no-break or other special space'],
  [/(?!\uFEFF)\p{Cf}/u, 'zero-width character'],
  [/\uFEFF/u, 'byte order mark'],
  [/\uFFFD/u, 'character that was lost in a wrong encoding'],
  [/[“”„‟«»‘’‚‛]/u, 'typographic quote'],
];

/** What a web page or an editor puts in and nobody sees. How many and where is told, never the value. */
function inspectInvisible(text: string): Suspicion[] {
  const characters = [...text];
  return invisible.flatMap(([kind, name]) => {
    const places = characters.flatMap((character, index) => (kind.test(character) ? [index + 1] : []));
    if (places.length === 0) return [];
    const listed = places.slice(0, 5).join(', ') + (places.length > 5 ? ' …' : '');
    const many = places.length === 1 ? `a ${name}` : `${places.length} times a ${name}`;
    return [
      problem(
        `contains ${many}, at ${places.length === 1 ? 'place' : 'places'} ${listed} of ${characters.length}`,
        'Type the value by hand instead of copying it. If the character belongs to the value, give the value as NAME_BASE64.',
        'env-invisible',
      ),
    ];
  });
}

function inspectPlain(text: string): Suspicion[] {
  const found: Suspicion[] = [];
  // A quoted name in front of an address is told as what it is.
  const isNamedAddress = /<[^<>]*@[^<>]*>$/.test(text);
  if (!isNamedAddress && (quotes.includes(text.at(0) ?? '') || quotes.includes(text.at(-1) ?? ''))) {
    found.push(problem('has a quote at one end', 'Type the bare value without quotes.', 'env-quoted'));
  }
  if (/\s#/.test(text)) {
    found.push(
      problem(
        'holds a comment: a space and #',
        'Remove it; comments belong on a line of their own.',
        'env-comment-truncation',
      ),
    );
  }
  if (/[;,]$/.test(text)) {
    found.push(problem(`ends with ${text.at(-1)}`, 'Remove the last character.', 'env-trailing-char'));
  }
  return found;
}

function inspectPassword(text: string): Suspicion[] {
  const found: Suspicion[] = [];
  if (/[;,]$/.test(text)) {
    found.push(
      warning(
        `ends with ${text.at(-1)}`,
        'If that is not part of it, remove the last character.',
        'env-trailing-char',
      ),
    );
  }
  if (/\\[$!`]/.test(text)) {
    found.push(
      warning(
        'contains a backslash in front of $, ! or `',
        'Only a shell removes such a backslash. If it is not part of the value, remove it.',
        'env-escaped',
      ),
    );
  }
  if (/\s#/.test(text)) {
    found.push(
      warning(
        'contains a space and #, which may be a comment',
        'If it is a comment, remove it; comments belong on a line of their own.',
        'env-comment-truncation',
      ),
    );
  }
  if (text.includes('$$')) {
    found.push(
      warning(
        'contains $$',
        '$$ stands for $ only in files of Docker Compose. If you doubled it, type it once.',
        'env-interpolated',
      ),
    );
  }
  if (/\\["'\\]/.test(text)) {
    found.push(
      warning(
        'contains a backslash before a quote or backslash',
        'Platforms add such backslashes. If it is not part of the value, give it as NAME_BASE64 or mark it literal.',
        'env-escaped',
      ),
    );
  }
  if (/%[0-9A-F]{2}/i.test(text)) {
    found.push(
      warning(
        'looks percent-encoded',
        'Percent-encoding is for addresses (URLs) only; type the characters as they are.',
        'env-url-encoding',
      ),
    );
  }
  return found;
}

function problem(what: string, fix: string, cause: FindingCause): Suspicion {
  return { severity: 'problem', problem: what, fix, cause };
}

function warning(what: string, fix: string, cause: FindingCause): Suspicion {
  return { severity: 'warning', problem: what, fix, cause };
}

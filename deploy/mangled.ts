// What deployment platforms, shells and people do to values on their way here: quotes that stayed, a comma that came
// along, a `${…}` nobody filled in. Each is named; none is repaired, because a wrong guess is worse than no guess.
import type { Finding, FindingCause } from './findings.ts';

export type Suspicion = { severity: Finding['severity']; problem: string; fix: string; cause: FindingCause };

const quotes = `"'\`“”‘’`;

/**
 * Finds the first thing a platform or a person left on the value. A password may hold any character,
 * so only what can hardly be meant is a problem there, and the rest a warning; what truly belongs to
 * it can be given as NAME_BASE64, which is not inspected.
 */
export function inspect(text: string, { isPassword }: { isPassword: boolean }): Suspicion[] {
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

function inspectAny(text: string): Suspicion[] {
  const found = inspectControlCharacters(text);
  if (text !== text.trim()) {
    found.push(
      problem('begins or ends with a space', 'Enter it again without the space.', 'env-trailing-char'),
    );
  }
  const [first = '', last = ''] = [text.at(0), text.at(-1)];
  if (quotes.includes(first) && quotes.includes(last)) {
    found.push(
      problem(
        'is wrapped in quotes',
        'Type the bare value: this platform keeps quotes as part of it.',
        'env-quoted',
      ),
    );
  }
  if (/\$\{|\{\{.*\}\}|^\$[A-Za-z_]\w*$|^%[A-Za-z_]\w*%$/.test(text)) {
    found.push(
      problem(
        'still holds a reference that nobody filled in',
        'Type the value itself, or make the platform replace the reference (it must name a variable that is set).',
        'env-interpolated',
      ),
    );
  }
  if (
    /^(?:<.*>|your[-_ ]?(?:smtp|e?-?mail|app|api|provider|domain|host|server|user|login|pass|secret|key).*|(?:please[-_ ])?(?:change|replace|set|fill)[-_ ]?(?:me|this|it|in)\b.*|todo|tbd|x{3,}|\*{3,}|placeholder)$/i.test(
      text,
    )
  ) {
    found.push(problem('is a placeholder', 'Type the real value.', 'env-placeholder'));
  }
  return found;
}

function inspectPlain(text: string): Suspicion[] {
  const found: Suspicion[] = [];
  if (quotes.includes(text.at(0) ?? '') || quotes.includes(text.at(-1) ?? '')) {
    found.push(problem('has a quote at one end', 'Type the bare value without quotes.', 'env-quoted'));
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
  if (text.includes('$$')) {
    found.push(
      warning(
        'contains $$',
        'Doubling $ is for files of Docker Compose only; if you doubled it, type it once.',
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

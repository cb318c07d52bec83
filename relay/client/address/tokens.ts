// The pieces of a mailbox list: quoted strings, comments, blanks, punctuation and the rest (RFC 5322 sections 3.2.2 to 3.2.4).
import { unquote } from './address.ts';

export type Token =
  /** `text` is what the quotes or parentheses hold. */
  | {
      readonly kind: 'quoted' | 'comment';
      readonly text: string;
      readonly start: number;
      readonly end: number;
    }
  /** Blanks, one of `<>,:;@`, or a run of anything else. */
  | {
      readonly kind: 'blank' | 'special' | 'run';
      readonly text: string;
      readonly start: number;
      readonly end: number;
    };

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const control = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** The pieces in order, none left out; or what is wrong. */
export function tokensOf(text: string): Token[] | { readonly fault: string } {
  if (control.test(text)) return { fault: 'holds a control character' };
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    if ('fault' in token) return token;
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function tokenAt(text: string, start: number): Token | { readonly fault: string } {
  const first = text[start] as string;
  if (first === '"') {
    const end = endOfQuoted(text, start);
    if (end === undefined) return { fault: 'has quotes that are not closed' };
    return { kind: 'quoted', text: unquote(text.slice(start, end)), start, end };
  }
  if (first === '(') {
    const end = endOfComment(text, start);
    if (end === undefined) return { fault: 'has a parenthesis that is not closed' };
    return { kind: 'comment', text: unquote(text.slice(start, end)), start, end };
  }
  if (first === ')') return { fault: 'has a parenthesis that was not opened' };
  if (first === '\\') return { fault: 'has a backslash outside quotes' };
  const blanks = /[ \t]+/y;
  blanks.lastIndex = start;
  if (blanks.test(text)) {
    return { kind: 'blank', text: text.slice(start, blanks.lastIndex), start, end: blanks.lastIndex };
  }
  if (/[<>,:;@]/.test(first)) return { kind: 'special', text: first, start, end: start + 1 };
  // An address literal holds colons.
  const run = text[start - 1] === '@' && first === '[' ? /\[[^\]\s<>@,]*\]?/y : /[^ \t<>,:;@"()\\]+/y;
  run.lastIndex = start;
  run.test(text);
  return { kind: 'run', text: text.slice(start, run.lastIndex), start, end: run.lastIndex };
}

function endOfQuoted(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

function endOfComment(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at + 1;
  }
  return undefined;
}

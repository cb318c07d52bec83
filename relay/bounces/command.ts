// After which command the other server refused, as most servers tell in the words around its reply.

/** `data` stands for the body and the final dot, too. */
export type Command = 'rcpt' | 'data';

const behind =
  /for (rcpt|data)(?: to)? (?:command|response)|in reply to (rcpt|(?:end of )?data)|\[(rcpt|data)_?[a-z]*\]|smtp command (rcpt|data)/i;
const before =
  /(?:>>> ?|after |command:? |response to )(rcpt|(?:end of )?data|text|\.)|for (rcpt|text|data) command|smtp:(rcpt|data) host/gi;

export function commandOf(words: string, reply: string): Command | undefined {
  const start = reply.replaceAll(/\s+/g, ' ').slice(0, 24).trim();
  if (start.length < 3) return undefined;
  // Paragraphs stay apart: what the next one says belongs to another reply.
  const text = words.replaceAll(/\s*\n\s*\n\s*/g, '\f').replaceAll(/[ \t\r\n]+/g, ' ');
  for (
    let at = text.indexOf(start), tries = 0;
    at >= 0 && tries < 5;
    at = text.indexOf(start, at + 1), tries++
  ) {
    const paragraph = text.slice(at, at + 600).split('\f')[0] ?? '';
    const found =
      behind.exec(paragraph) ??
      /\fsmtp command (rcpt|data)|\f-+smtp command (rcpt|data)/i.exec(text.slice(at, at + 600)) ??
      [...text.slice(Math.max(0, at - 300), at).matchAll(before)].at(-1);
    const word = found?.slice(1).find(Boolean)?.toLowerCase();
    if (word !== undefined) return word === 'rcpt' ? 'rcpt' : 'data';
  }
  return undefined;
}

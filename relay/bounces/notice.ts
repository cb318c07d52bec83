// Where the words of a report end and the returned mail begins, for servers that write both in one text.

export type Notice = { readonly words: string; readonly returned: string };

const separator =
  /^[\s>*#=_-]*(?:(?:-{2,}|={3,}|_{3,}|\*{3,})\s*(?=.{0,80}\b(?:original|copy|returned|unsent|undelivered|header|enclosed|forwarded|message follows|contents of)\b).{4,120}|(?:below (?:this line )?(?:is|follows)|included (?:below )?is|the following is|here is|enclosed is|this is) (?:a |the )?(?:copy|header|original|returned)\b.{0,80}|(?:the )?(?:(?:body|header|text|contents?) of (?:the |your )?)?(?:original|returned|bounced)\s+(?:e-?mail|message|mail)(?: (?:header|body|text|contents?)s?)?(?: (?:is )?(?:follows|below|attached|as follows|included below).{0,40})?\s*:?\s*-{0,40}|(?:your )?(?:message|mail) (?:header|text|body)s? (?:follows?|:).{0,40})\s*$/i;

const headerField =
  /^[ \t>|]{0,8}(received|return-path|delivered-to|dkim-signature|message-id|mime-version|date|from|to|cc|sender|subject|reply-to|content-type|content-transfer-encoding|x-[\w-]{2,40}|authentication-results|user-agent|importance|references)[ \t]*:/i;

/** Splits a text at the line that says that the returned mail follows, or where something like a header starts. */
export function splitNotice(text: string): Notice {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line.length < 200 && separator.test(line)) return cut(lines, at, at + 1);
    if (headerField.test(line) && isHeader(lines, at)) return cut(lines, at, at);
  }
  return { words: text, returned: '' };
}

/** Three different fields close together, one of which only a mail's header has. */
function isHeader(lines: readonly string[], at: number): boolean {
  const names = new Set<string>();
  for (const line of lines.slice(at, at + 14)) {
    if (line.trim() === '') break;
    const name = headerField.exec(line)?.[1];
    if (name !== undefined) names.add(name.toLowerCase());
  }
  const isMail = [
    'received',
    'message-id',
    'return-path',
    'mime-version',
    'content-type',
    'dkim-signature',
  ].some((name) => names.has(name));
  return names.size >= 3 && isMail;
}

const cut = (lines: readonly string[], end: number, start: number): Notice => ({
  words: lines.slice(0, end).join('\n'),
  returned: lines
    .slice(start)
    .map((line) => line.replace(/^[>|] ?/, ''))
    .join('\n')
    .trimStart(),
});

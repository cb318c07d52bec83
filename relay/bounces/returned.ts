// Which mail a report is about: what the returned header says, or the words where the report returns it in them.
import { type Fields, readFields } from './fields.ts';
import type { Returned } from './report.ts';

const idLimit = 20;

const idFields = [
  'message-id',
  // The id we gave, where a server on the way put another one in its place.
  'x-microsoft-original-message-id',
  'x-google-original-message-id',
  'x-original-message-id',
  'origin-messageid',
  'resent-message-id',
];

/** The header at the start of a returned mail; an envelope line of a mailbox file may stand before it. */
export function headerOf(content: string): Fields {
  const text = content.replace(/^\s*(?:>?From \S[^\n]*\n)?/, '');
  const end = /\r?\n[ \t]*\r?\n/.exec(text)?.index ?? text.length;
  return readFields(text.slice(0, end));
}

/** What a returned header and the words around it name. */
export function returnedOf(header: Fields, words: string, more: readonly string[] = []): Returned {
  const messageIds = [...idFields.flatMap((name) => header.get(name) ?? []), ...more, ...idsIn(words)]
    .map((id) => /[^\s<>]{1,900}/.exec(id)?.[0] ?? '')
    .filter((id) => id.includes('@'));
  const queueIds = (header.get('received') ?? []).flatMap(
    (trace) => /\bid\s+([\w.-]{6,64})/.exec(trace)?.[1] ?? [],
  );
  return {
    messageIds: [...new Set(messageIds)].slice(0, idLimit),
    queueIds: [...new Set(queueIds)].slice(0, idLimit),
    addressedIds: [],
    envelopeId: undefined,
  };
}

const idsIn = (words: string): string[] =>
  [
    ...words.matchAll(
      /^[ \t>]*(?:original[ -])?message-?\s?id[ \t]*:[ \t]*<?([^\s<>]{3,900}@[^\s<>]{1,255})>?/gim,
    ),
  ]
    .slice(0, idLimit)
    .map(([, id]) => id as string);

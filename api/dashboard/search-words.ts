// The words by which an email is found, as PostgreSQL compares them: of what somebody types, and of an email.
import type { EmailKind } from '../../relay/client/vocabulary.ts';

// ASCII punctuation and space, and nothing that could be a letter somewhere.
const wordBreak = /[\s!-/:-@[-`{-~]+/;
const maxWordLength = 200;

/** Without case and accents: people type `oberg` and mean Öberg. */
const withoutAccents = (text: string) => text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();

/**
 * The tsquery of what somebody typed: every word must begin a word of the mail; a word with an @ begins an address.
 * Undefined when there is nothing to look for.
 */
export function queryOf({
  text = '',
  kind,
}: {
  text?: string | undefined;
  kind?: EmailKind | undefined;
}): string | undefined {
  const typed = withoutAccents(text).split(/[\s<>,;"]+/);
  const words = typed.flatMap((word) =>
    word.includes('@') && !word.startsWith('@') ? [word] : word.split(wordBreak),
  );
  const lexemes = words.filter((word) => word !== '').map((word) => `${quoted(word)}:*`);
  if (kind !== undefined) lexemes.push(quoted(`kind:${kind}`));
  return lexemes.length === 0 ? undefined : lexemes.slice(0, 20).join(' & ');
}

/** The tsquery of mail to or from exactly this address, but for case and accents. */
export const addressQuery = (address: string) => quoted(withoutAccents(address));

export type SearchableEmail = {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly from_address: string;
  readonly from_name: string | null;
  readonly client_id: string | null;
  readonly entry_key: string | null;
  readonly recipients: readonly { readonly address: string; readonly name: string | null }[];
};

/** The tsvector of a mail: whole addresses, and all words of addresses, names and the subject. */
export function searchVector(email: SearchableEmail): string {
  const addresses = [email.from_address, ...email.recipients.map(({ address }) => address)].map(
    withoutAccents,
  );
  const names = [
    email.from_name,
    email.client_id,
    email.entry_key,
    ...email.recipients.map(({ name }) => name),
  ];
  const words = withoutAccents([email.subject, ...names].filter((name) => name !== null).join(' '))
    .concat(' ', addresses.join(' '))
    .split(wordBreak);
  const all = new Set([...addresses, ...words, `kind:${email.kind}`]);
  all.delete('');
  return [...all].map(quoted).join(' ');
}

const quoted = (word: string) =>
  `'${word.slice(0, maxWordLength).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

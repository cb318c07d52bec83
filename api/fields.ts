// The kinds of value that requests are made of. Each refuses what a mail, a log or PostgreSQL would choke on,
// and says what it would accept; nothing is repaired.
import { z } from 'zod';
import { readAddress } from '../relay/client/address/address.ts';

// U+0000 cannot be stored by PostgreSQL, and half a surrogate pair is not text.
const storable = (value: string) => !value.includes('\0') && value.isWellFormed();

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Text in one line, such as a name or a subject: a line break in it would become a header of its own. */
export const line = (max: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((value) => !controlCharacters.test(value), {
      error: 'must be one line without control characters',
    })
    .refine((value) => storable(value), { error: 'must be well-formed text' })
    .refine((value) => value.trim() === value, { error: 'must not begin or end with a space' });

/** Text of any shape, such as a body. */
export const prose = (max: number) =>
  z
    .string()
    .max(max, `must be at most ${max} characters`)
    .refine(storable, { error: 'must be well-formed text without NUL characters' });

/** Why an address that is one is refused here all the same, as the rest of a sentence. */
export function faultOfReach(mailAddress: string): string | undefined {
  // No mail server outside could be found for it: it is more likely a slip.
  if (/@[^.[\]]*$/.test(mailAddress)) return 'has a domain without a dot';
  // The SMTP client refuses it, because careless servers end a path at the first bracket.
  return /[<>]/.test(mailAddress) ? 'has < or > in its quoted local part' : undefined;
}

/** One bare mail address; a display name has a field of its own. */
export const address = z
  .string()
  .superRefine((text, context) => {
    const reading = readAddress(text);
    const fault = 'fault' in reading ? reading.fault : faultOfReach(text);
    if (fault === undefined) return;
    context.addIssue({ code: 'custom', message: `must be one mail address: ${text.slice(0, 100)} ${fault}` });
  })
  .meta({ format: 'email', examples: ['ann@example.com'] });

export const id = z
  .uuid()
  .meta({ description: 'A UUID of version 7: the order of the ids is the order of creation.' });

export const instant = z.iso
  .datetime({ offset: true })
  .meta({ description: 'RFC 3339, in UTC.', examples: ['2026-03-01T09:00:00.000Z'] });

/** An instant in a query. */
export const time = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 time with an offset' })
  .transform((text) => new Date(text));

/** Words of a list in a query, with commas between them: `?status=held,uncertain`. */
export const listOf = <Word extends string>(words: readonly Word[]) =>
  z
    .string()
    .transform((text) => text.split(','))
    .refine((given): given is Word[] => given.every((word) => (words as readonly string[]).includes(word)), {
      error: `must be of ${words.join(', ')}`,
    })
    .transform((given) => given as Word[]);

/** `?limit=&after=` of every list. */
export const pageQuery = {
  limit: z.coerce
    .number({ error: 'must be a whole number from 1 to 100' })
    .int('must be a whole number from 1 to 100')
    .min(1, 'must be at least 1')
    .max(100, 'must be at most 100')
    .default(20),
  after: z
    .uuid('must be the `next` of the previous page')
    .optional()
    .meta({ description: 'The `next` of the previous page.' }),
};

/** A page of a list, newest first unless the operation says otherwise. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    data: z.array(item),
    has_more: z.boolean(),
    next: z
      .string()
      .nullable()
      .meta({ description: 'Pass it as `after` to read the next page; null on the last page.' }),
  });

/** Makes the answer of a list from rows that were asked for with `limit + 1`. */
export function toPage<Item extends { id: string }>(items: readonly Item[], limit: number) {
  const data = items.slice(0, limit);
  const hasMore = items.length > limit;
  return { data, has_more: hasMore, next: hasMore ? (data.at(-1)?.id ?? null) : null };
}

// Tags and streams of mail, as a request says them.
import { z } from 'zod';
import { mostTags, tagWord, tagWordRule } from '../relay/client/email/tag.ts';

const word = z.string().regex(tagWord, { error: tagWordRule });

const tag = z.strictObject({
  name: word.meta({ examples: ['app'] }),
  value: word.meta({ examples: ['shop'] }),
});

export const tagList = z
  .array(tag)
  .max(mostTags, `must be at most ${mostTags} tags`)
  .superRefine((given, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of given.entries()) {
      if (seen.has(name)) {
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is a duplicate' });
      }
      seen.add(name);
    }
  });

export const mailTags = tagList.meta({
  description:
    'What the mail belongs to: it can be found by them, and events have them. Not part of the mail.',
});

export const stream = word.meta({
  description:
    'The kind of mail, such as `newsletter`. A suppression may be for one stream only, so that a person who wants no ' +
    'newsletter still gets a password reset. Not part of the mail.',
  examples: ['newsletter'],
});

const separator = ':';

/** `?tag=name:value` */
export const tagQuery = z
  .string()
  .refine((text) => text.split(separator).length === 2, { error: 'must be name:value' })
  .transform((text) => {
    const [name = '', value = ''] = text.split(separator);
    return { name, value };
  })
  .refine(({ name, value }) => tagWord.test(name) && tagWord.test(value), {
    error: `must be name:value; each ${tagWordRule}`,
  })
  .meta({ description: 'Mail with this tag.', examples: ['app:shop'] });

// Tags of mail: the caller's own words for what a mail belongs to.
import { z } from 'zod';

const word = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, {
  error: 'must be 1 to 256 letters, digits, _ or -',
});

const mostTags = 75;

export const tagList = z
  .array(z.strictObject({ name: word.meta({ examples: ['app'] }), value: word.meta({ examples: ['shop'] }) }))
  .max(mostTags, `must be at most ${mostTags} tags`)
  .refine((given) => new Set(given.map(({ name }) => name)).size === given.length, {
    error: 'must not repeat a name',
  });

// What a mail may say about itself. Everything else is the composer's, the envelope's or the next hop's.
import { z } from 'zod';
import { isReservedHeader } from '../../relay/client/compose/compose.ts';
import { faultOfField } from '../../relay/client/compose/header.ts';

const allowed =
  /^(?:x-[a-z0-9-]+|list-[a-z-]+|in-reply-to|references|auto-submitted|precedence|importance|priority|organization|keywords|feedback-id|entity-ref-id)$/i;

const mostFields = 50;
// A long thread has References of some thousand characters; servers refuse headers of more than 100 to 250 KB.
const mostCharacters = 32_768;
const mostTogether = 65_536;

// A tab separates words as a blank does (RFC 5322 section 2.2.2). The others would end the field, or the message.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;

const value = z
  .string()
  .min(1, 'must not be empty')
  .max(mostCharacters, `must be at most ${mostCharacters} characters`)
  .refine((text) => !controls.test(text), { error: 'must be one line without control characters' })
  .refine((text) => text.isWellFormed(), { error: 'must be well-formed text' })
  .refine((text) => text.trim() === text, { error: 'must not begin or end with a space' });

export const headers = z
  .record(z.string(), value)
  .superRefine((given, context) => {
    const fields = Object.entries(given);
    if (fields.length > mostFields) {
      context.addIssue({ code: 'custom', message: `must have at most ${mostFields} entries` });
    }
    if (fields.reduce((sum, [name, text]) => sum + name.length + text.length, 0) > mostTogether) {
      context.addIssue({ code: 'custom', message: `must be at most ${mostTogether} characters together` });
    }
    const seen = new Set<string>();
    for (const [name, text] of fields) {
      const refuse = (message: string) => context.addIssue({ code: 'custom', path: [name], message });
      if (seen.has(name.toLowerCase())) refuse('is a duplicate in other capitals');
      seen.add(name.toLowerCase());
      if (name.length > 76 || !allowed.test(name) || isReservedHeader(name)) {
        refuse('cannot be set; X-… and List-… fields, In-Reply-To, References and a few others can');
      } else {
        const fault = faultOfField({ name, value: text });
        if (fault !== undefined) refuse(fault);
      }
    }
  })
  .meta({
    maxProperties: 50,
    description:
      'Further fields of the header. ASCII is sent as given and folded at blanks only; other text is ' +
      `encoded (RFC 2047) in X-… fields, Organization, Keywords and the name in List-Id. At most ${mostFields} ` +
      `fields and ${mostTogether} characters together.`,
    examples: [{ 'X-Order': '4711' }],
  });

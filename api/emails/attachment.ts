// Files beside the text, as callers give them.
import { z } from 'zod';
import { faultOfAttachment, readMediaType } from '../../relay/client/compose/media-type.ts';
import type { Attachment } from '../../relay/client/email/attachment.ts';
import { fileContent } from '../body/file-content.ts';
import { line } from '../fields.ts';

const contentType = z
  .string()
  .max(500, 'must be at most 500 characters')
  .regex(/^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*(?:[ \t]*;.*)?$/i, {
    error: 'must be a media type such as application/pdf, or text/plain; charset=utf-8',
    abort: true,
  })
  .superRefine((text, context) => {
    const media = readMediaType(text);
    if ('fault' in media) context.addIssue({ code: 'custom', message: media.fault });
  })
  .default('application/octet-stream')
  .meta({
    description:
      'A media type, with its parameters (RFC 2045). `text/calendar; method=REQUEST` makes an invitation: it is placed ' +
      'in the email as an alternative of the text too, where calendar programs look for it. `multipart/…` and `message/…` are ' +
      'refused, but for a `message/rfc822` in ASCII.',
    examples: ['application/pdf', 'text/calendar; method=REQUEST; charset=utf-8'],
  });

export const attachment = z
  .strictObject({
    filename: line(255).refine((name) => !/[/\\]/.test(name), { error: 'must not contain / or \\' }),
    content: fileContent,
    content_type: contentType,
    content_id: z
      .string()
      .regex(/^[\w.@+-]{1,200}$/, 'must be letters, digits and . @ + - _')
      .optional()
      .meta({ description: 'For images that the HTML shows as `cid:`.' }),
  })
  .superRefine(({ content_type, content }, context) => {
    const media = readMediaType(content_type);
    const fault = 'fault' in media ? undefined : faultOfAttachment(media, content);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: ['content_type'], message: fault });
  });

export const toAttachment = (given: z.output<typeof attachment>): Attachment => ({
  filename: given.filename,
  contentType: given.content_type,
  contentId: given.content_id,
  content: given.content,
});

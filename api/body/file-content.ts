// The field that holds a file. The scan of the body has decoded it; what is still text was no base64.
import { z } from 'zod';

export const fileContent = z
  .custom<Buffer>((value) => Buffer.isBuffer(value), {
    // The other fields are still looked at.
    abort: false,
    error: ({ input }) => (input === undefined ? 'is required' : 'must be base64 (RFC 4648 section 4)'),
  })
  .meta({ type: 'string', contentEncoding: 'base64' });

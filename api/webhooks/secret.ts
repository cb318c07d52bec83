// The secret of an endpoint, in the form of Standard Webhooks.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';

export const newSecret = () => randomBytes(32);

export const writeSecret = (secret: Buffer) => `whsec_${secret.toString('base64')}`;

export const secretField = z.string().meta({
  description: 'Verify with any library of Standard Webhooks or Svix. It is not shown again.',
  examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='],
});

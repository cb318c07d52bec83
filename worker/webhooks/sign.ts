// The signature of a delivery as Standard Webhooks defines it, in its own headers and in those of Svix: many receivers
// read only one of the two families.
import { createHmac } from 'node:crypto';

/**
 * @param secrets every one of them signs, so that a receiver may have the old or the new one after a rotation
 * @param at the time of this attempt: receivers refuse what is older than five minutes
 */
export function signedHeaders({
  id,
  at,
  body,
  secrets,
}: {
  id: string;
  at: Date;
  body: string;
  secrets: readonly Buffer[];
}): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signature = secrets
    .map(
      (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
    )
    .join(' ');
  return Object.fromEntries(
    ['webhook', 'svix'].flatMap((family) => [
      [`${family}-id`, id],
      [`${family}-timestamp`, timestamp],
      [`${family}-signature`, signature],
    ]),
  );
}

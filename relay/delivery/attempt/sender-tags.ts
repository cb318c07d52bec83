// The envelope sender with the mail's id in it (BOUNCE_VERP), for as long as the provider takes it.
import { taggedSender } from '../../client/queue-id.ts';
import type { ClaimedMail } from '../../policy/claimed-mail.ts';
import type { DeliveryContext } from '../context.ts';
import type { Lane } from '../lanes/lane.ts';

export type SenderTags = {
  /** What MAIL FROM says; the null sender stays as it is (RFC 5321 section 4.5.5). */
  senderOf(lane: Lane, mail: ClaimedMail): string;
  /** The provider does not take it: from now on, until this process ends, its mail goes with its own sender. */
  refused(lane: Lane): void;
};

export function openSenderTags({ settings, log }: Pick<DeliveryContext, 'settings' | 'log'>): SenderTags {
  const refusing = new Set<string>();
  return {
    senderOf: ({ key }, { sender, queueId }) =>
      settings.bounceVerp && sender !== '' && !refusing.has(key) ? taggedSender(sender, queueId) : sender,
    refused({ key, provider }) {
      if (refusing.has(key)) return;
      refusing.add(key);
      log.warn(
        { event: 'verp-refused', lane: provider.name, variable: 'BOUNCE_VERP' },
        `${provider.host} takes no sender with the id of the mail in it: mail leaves with its own sender. Switch BOUNCE_VERP off`,
      );
    },
  };
}

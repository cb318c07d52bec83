// The hourly and daily limits of a lane: asked before a mail is sent, given back for what the provider never got.
import { priorities } from '../../client/vocabulary.ts';
import type { ClaimedMail } from '../../policy/claimed-mail.ts';
import type { DeliveryContext } from '../context.ts';
import type { Lane } from './lane.ts';
import { refund, spend } from './pacing.ts';

export const hasQuota = ({ provider }: Lane) =>
  provider.maxPerHour !== undefined || provider.maxPerDay !== undefined;

/** Asks for a place under the limits. False puts the mail back; the lane waits for as long as it has to. */
export async function takeQuota(
  { database, tryTo }: DeliveryContext,
  lane: Lane,
  { priority }: ClaimedMail,
  recipients: number,
): Promise<boolean> {
  if (!hasQuota(lane)) return true;
  const { maxPerHour: perHour, maxPerDay: perDay } = lane.provider;
  const isUrgent = priority === priorities.immediate;
  const allowance = await tryTo('asking for a place under the limits', () =>
    spend(database, lane.key, { perHour, perDay }, { recipients, isUrgent }),
  );
  if (allowance?.granted) return true;
  lane.pace(priority, allowance?.retryInSeconds ?? 1);
  return false;
}

export async function returnQuota(
  { database, tryTo }: DeliveryContext,
  lane: Lane,
  recipients: number,
): Promise<void> {
  if (recipients > 0 && hasQuota(lane))
    await tryTo('giving back a place under the limits', () => refund(database, lane.key, recipients));
}

// What one refusal means for other mail: its sender is held, or its lane is closed.
import { holdSender } from '../../lane-state/sender-holds.ts';
import type { ClaimedMail } from '../../policy/claimed-mail.ts';
import { inWords } from '../../smtp/failure.ts';
import type { DeliveryContext } from '../context.ts';
import { close } from '../lanes/close.ts';
import type { Lane } from '../lanes/lane.ts';
import { concernsLane } from '../lanes/refusals.ts';
import type { Effect } from './decide.ts';

/**
 * @param isProbe whether the mail was sent to find out whether its sender is welcome again
 * @returns false when it turns out that the lane is well and only this mail is refused
 */
export async function applyEffect(
  context: DeliveryContext,
  lane: Lane,
  mail: ClaimedMail,
  effect: Effect,
  isProbe: boolean,
): Promise<boolean> {
  const { kind, judgement, failure } = effect;
  if (kind === 'hold-sender') {
    await hold(context, lane, mail, effect, isProbe);
    return true;
  }
  if (failure.stage !== 'mail') {
    const concerns = await context.tryTo('asking whether a refusal concerns the lane', () =>
      concernsLane(context.database, {
        lane: lane.key,
        cause: judgement.cause,
        recipient: effect.recipient,
        queueId: mail.queueId,
        routes: lane.provider.routes.map(({ name }) => name),
        isSuspicion: judgement.isSuspicion === true,
      }),
    );
    // Without the database a certain refusal closes the lane, and a suspicion does not.
    if (!(concerns ?? kind !== 'suspect-lane')) return kind === 'suspect-lane';
  }
  await context.tryTo('closing a lane', () => close(context, lane, { judgement, failure }));
  return true;
}

async function hold(
  { database, timeouts, alert, tryTo }: DeliveryContext,
  lane: Lane,
  mail: ClaimedMail,
  { judgement: { cause }, failure }: Effect,
  isProbe: boolean,
): Promise<void> {
  const { stage } = failure;
  // Until the data is seen only the envelope is known; at the dot it is the header that offended.
  const sender = stage === 'dot' ? mail.headerFrom : mail.sender;
  const detail = inWords(failure);
  const refusal = { sender, cause, detail, stage };
  const isNew = await tryTo('holding a sender', () =>
    holdSender(database, lane.key, { ...refusal, probeMs: timeouts.senderProbeMs, isProbe }),
  );
  lane.view.learnHold(refusal);
  if (isNew) alert({ kind: 'sender-held', lane: lane.provider.name, ...refusal });
}

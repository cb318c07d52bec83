// Finding out whether a provider takes a held sender again: one of its mails is sent, and what becomes of it tells.
import { liftHold, probeAgain, takeSenderProbe } from '../lane-state/sender-holds.ts';
import type { Agent } from './attempt/agent.ts';
import type { Attempts } from './attempt/attempts.ts';
import { applyEffect } from './attempt/effects.ts';
import type { Background } from './background.ts';
import type { Lane } from './lanes/lane.ts';
import { claimHeld } from './queue/claim.ts';
import { releaseLifted } from './queue/lifted-holds.ts';

export type SenderProbes = {
  /** Probes those whose time has come, each with one of its held mails. */
  run(lane: Lane): Promise<void>;
  /** Takes the probe of this sender, when it is due and this relay gets it. */
  take(lane: Lane, sender: string, queueId: string): Promise<boolean>;
  /** Delivers one mail of a held sender, and learns from it whether the provider takes the sender by now. */
  agentFor(lane: Lane): Agent;
};

/** @param wake called when mail may leave that could not before */
export function openSenderProbes(
  usual: Agent,
  attempts: Attempts,
  background: Background,
  wake: () => void,
): SenderProbes {
  const { context } = usual;
  const { database, instance, timeouts, log, alert, stopping, tryTo } = context;
  const [probeLeaseMs] = timeouts.senderProbeMs;

  async function free(lane: Lane, sender: string): Promise<void> {
    const cause = lane.view.reading.heldSenders.find((hold) => hold.sender === sender)?.cause ?? '';
    const isNews = await liftHold(database, lane.key, sender);
    lane.view.forgetHold(sender);
    if (isNews) {
      log.info({ event: 'sender-free', lane: lane.provider.name }, 'The provider takes a sender again');
      const detail = 'The provider accepts this sender again.';
      alert({ kind: 'sender-free', lane: lane.provider.name, cause, stage: 'accepted', detail, sender });
    }
    background.follow(releaseLifted(database, { signal: stopping, released: wake }));
  }

  function agentFor(lane: Lane): Agent {
    let isRefused = false;
    return {
      ...usual,
      async applyEffect(of, mail, effect) {
        if (effect.kind === 'hold-sender') isRefused = true;
        return applyEffect(context, of, mail, effect, true);
      },
      async settled(mail, changes, taken) {
        if (isRefused) return;
        const isSent = changes.some(({ status }) => status === 'sent');
        const ours = lane.view.reading.heldSenders.filter(
          ({ sender }) => sender === mail.sender || sender === mail.headerFrom,
        );
        for (const { sender, stage } of ours) {
          // Whatever else was wrong with this mail: at the stage that refused the sender, it passed.
          const isTaken = isSent || (sender === mail.sender && taken.some((passed) => passed === stage));
          if (isTaken) await tryTo('lifting a hold', () => free(lane, sender));
          else if (taken.length > 0)
            await tryTo('asking for another probe', () => probeAgain(database, lane.key, sender));
        }
      },
    };
  }

  return {
    agentFor,
    async take(lane, sender, queueId) {
      const taken = await tryTo('taking a probe', () =>
        takeSenderProbe(database, lane.key, { sender, queueId, leaseMs: probeLeaseMs }),
      );
      return taken ?? false;
    },
    async run(lane) {
      for (const { sender, isProbeDue } of lane.view.reading.heldSenders) {
        if (!isProbeDue || lane.capacity === 0) continue;
        if (!(await takeSenderProbe(database, lane.key, { sender, leaseMs: probeLeaseMs }))) continue;
        const mail = await claimHeld(database, {
          lane: lane.key,
          sender,
          instance,
          leaseMs: timeouts.leaseMs,
          signal: stopping,
        });
        if (mail) attempts.start(agentFor(lane), lane, mail);
        else await free(lane, sender);
      }
    },
  };
}

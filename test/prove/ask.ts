// A client of the API: asks for mail now, mail later, customers with their invitations, and calls some of it back. It
// repeats what was not answered under the same Idempotency-Key, as the API tells its clients to.
import { setTimeout as pause } from 'node:timers/promises';
import type { Stack } from '../kit/stack.ts';
import { type Acknowledgements, recipientsOf } from './acknowledgements.ts';
import type { Chance } from './chance.ts';

export type Asker = {
  readonly apis: Stack['apis'];
  readonly chance: Chance;
  readonly acknowledgements: Acknowledgements;
  readonly signal: AbortSignal;
};

type Answer = Awaited<ReturnType<Stack['api']['post']>>;

export function openRequests({ apis, chance, acknowledgements, signal }: Asker) {
  const cancelling = new Set<Promise<void>>();

  /** Asks until there is an answer that says something; undefined when the run ends before. */
  async function insist(path: string, body: unknown, key: string): Promise<Answer | undefined> {
    while (!signal.aborted) {
      try {
        const answer = await chance.pick(apis).post(path, body, { headers: { 'Idempotency-Key': key } });
        // 503: PostgreSQL is away. 409 request-running: our first try is still at work.
        const isLater = answer.status === 503 || /request-running/.test(String(answer.body?.type));
        if (!isLater) return answer;
        acknowledgements.askAgain(`HTTP: ${answer.status}`);
      } catch {
        // Nobody listens, or the answer was lost with the process.
        acknowledgements.askAgain('HTTP: no answer');
      }
      await pause(chance.between(50, 1_000), undefined, { signal }).catch(() => {});
    }
    return undefined;
  }

  async function askForMail(number: number): Promise<void> {
    const isLater = chance.happens(0.4);
    const isCalledBack = isLater && chance.happens(0.3);
    const recipients = recipientsOf(number, chance.happens(0.15) ? 3 : 1);
    const at = new Date(Date.now() + chance.between(500, 15_000));
    const body = {
      to: recipients,
      subject: `Mail ${number}`,
      text: `.\r\nFor ${recipients.join(', ')} only.`,
      ...(isLater ? { scheduled_datetime: at.toISOString() } : {}),
      ...(chance.happens(0.1) ? { on_uncertain: 'hold' } : {}),
    };
    const answer = await insist('/api/v1/emails', body, `mail-${number}`);
    if (answer === undefined) return;
    if (answer.status !== 202) return complain(`mail ${number}`, answer);
    acknowledgements.add(recipients, answer.body.id);
    if (isCalledBack) {
      const calling = callBack(answer.body.id, recipients, at).finally(() => cancelling.delete(calling));
      cancelling.add(calling);
    }
  }

  /** Around the time it leaves, when a cancel is most likely to meet somebody who is at it. */
  async function callBack(id: string, recipients: readonly string[], at: Date): Promise<void> {
    const waitMs = chance.happens(0.2) ? chance.between(0, 20_000) : chance.between(-300, 500);
    await pause(Math.max(0, at.getTime() - Date.now() + waitMs), undefined, { signal }).catch(() => {});
    const answer = await insist(`/api/v1/emails/${id}/cancel`, undefined, `cancel-${id}`);
    if (answer === undefined) return;
    if (answer.status === 200) acknowledgements.cancelled(recipients);
    else if (answer.status !== 409) complain(`cancelling ${id}`, answer);
  }

  async function createCustomer(number: number): Promise<void> {
    const [email = ''] = recipientsOf(number, 1);
    const body = { name: `Customer ${number}`, email, sendInvitation: true };
    const answer = await insist('/api/customers', body, `customer-${number}`);
    if (answer === undefined) return;
    if (answer.status !== 201) return complain(`customer ${number}`, answer);
    acknowledgements.add([email], answer.body.invitation.email_id);
  }

  function complain(what: string, { status, body }: Answer): void {
    acknowledgements.complain(`${what} was answered ${status}: ${JSON.stringify(body).slice(0, 300)}`);
  }

  return {
    ask: (number: number) => (chance.happens(0.3) ? createCustomer(number) : askForMail(number)),
    /** Resolves when every cancel that was begun has been answered. */
    async finished(): Promise<void> {
      await Promise.all(cancelling);
    },
  };
}

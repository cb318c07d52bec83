// Calls that change something: in a transaction of their own or in one they share, with their Idempotency-Key.
import type { Response } from 'express';
import type { Database, Queryable } from '../deploy/database.ts';
import type { Log } from '../deploy/log.ts';
import { takeTurn } from '../deploy/turn.ts';
import { send, sendJson, toJson } from './answer.ts';
import { inGroups } from './group.ts';
import {
  amendAnswer,
  claimKey,
  type IdempotentRequest,
  type StoredAnswer,
  storeAnswer,
} from './idempotency.ts';
import type { Call, Operation } from './operation.ts';
import { requestIds } from './request-log.ts';

type Change = (request: {
  call: Call;
  /** Waits for memory that lasts until the answer is out. */
  hold: (bytes: number) => Promise<void>;
  idempotent: IdempotentRequest | '' | undefined;
  response: Response;
}) => Promise<void>;

/** How requests of this operation change something: in a transaction of their own, or in one they share. */
export function openChange(
  operation: Operation,
  { database, log }: { database: Database; log: Log },
): Change {
  const { run } = operation;
  if (run.kind !== 'changes') return () => Promise.resolve();
  const { handle, handleMany, idempotency } = run;
  const alone = (call: Call) => inTransaction(database, (tx) => handle(call, tx));
  const together = handleMany && inGroups({ database, handleMany, alone });

  return async ({ call: asked, hold, idempotent, response }) => {
    const prepare = operation.prepare?.(asked, hold);
    if (prepare && idempotent) {
      // A repeat must not depend on what is elsewhere, nor fetch it again.
      const stored = await inTransaction(database, (tx) => claimKey(tx, idempotent));
      if (stored) return replay(response, stored);
    }
    const call = prepare ? await prepare() : asked;
    if (!idempotent) {
      // What a person does is written down in the transaction of the act, which is nobody else's.
      const answer = await (call.principal.person ? alone : (together ?? alone))(call);
      const late = await answer.afterCommit?.();
      await takeTurn();
      return send(response, late === undefined ? answer : { ...answer, body: late });
    }

    const outcome = await inTransaction(database, async (tx) => {
      const stored = await claimKey(tx, idempotent);
      if (stored) return { stored };
      const answer = await handle(call, tx);
      const json = toJson(answer.body);
      await storeAnswer(tx, idempotent, {
        status: answer.status,
        answer: idempotency === 'secret' ? null : json,
        keepUntil: answer.keepKeyUntil,
      });
      return { answer, json };
    });
    if (outcome.stored) return replay(response, outcome.stored);
    const { answer, json } = outcome;
    const late = toJson(await answer.afterCommit?.());
    if (late !== null && idempotency === 'stored' && late !== json) {
      // Only the mail's status differs; a replay that tells the older one would be true as well.
      await amendAnswer(database, idempotent, late).catch((error) =>
        log.warn({ err: error, ...requestIds(call) }, 'Stored answer could not be updated'),
      );
    }
    send(response, answer, late ?? json);
  };
}

function replay(response: Response, { status, body }: StoredAnswer): void {
  response.set('idempotency-replayed', 'true');
  sendJson(response, status, body);
}

/** Two transactions that wait for each other are nobody's fault: one of them is run again. */
async function inTransaction<T>(database: Database, work: (tx: Queryable) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await database.transaction(work);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      const isDeadlock = code === '40P01' || code === '40001';
      if (!isDeadlock || attempt === 3) throw error;
    }
  }
}

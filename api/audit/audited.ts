// An operation that writes what it did into the audit list, in its own transaction.
import type { Database, Queryable } from '../../deploy/database.ts';
import type { Principal } from '../authenticate.ts';
import type { Answer, Call, Operation } from '../operation.ts';
import { namedPrincipal } from './actor.ts';
import { type AuditedAct, auditedActs } from './acts.ts';
import { differenceOf, readState, type State } from './state.ts';
import { writeEntry } from './write.ts';

export function audited(operation: Operation, database: Database): Operation {
  const act = auditedActs[operation.id];
  if (!act) return operation;
  const name = operation.id.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const { run } = operation;
  if (run.kind === 'reads') {
    return {
      ...operation,
      run: {
        ...run,
        // It has no transaction: that it was asked for is written before anything happens.
        async handle(call: Call) {
          if (concerns(act, call.principal))
            await writeEntry(database, { actor: namedPrincipal(call.principal), act: name });
          return run.handle(call);
        },
      },
    };
  }
  return {
    ...operation,
    run: {
      ...run,
      handle: (call, tx) =>
        concerns(act, call.principal) && !act.isLook?.(call)
          ? runAndWrite({ act, name, call, tx, handle: run.handle })
          : run.handle(call, tx),
    },
  };
}

const concerns = ({ byKeys }: AuditedAct, { person, scopes }: Principal): boolean =>
  person !== undefined || (byKeys && scopes.includes('admin'));

async function runAndWrite({
  act,
  name,
  call,
  tx,
  handle,
}: {
  act: AuditedAct;
  name: string;
  call: Call;
  tx: Queryable;
  handle: (call: Call, tx: Queryable) => Promise<Answer>;
}): Promise<Answer> {
  const { kind, idOf } = act;
  const readIt = async (id: string | undefined): Promise<State> => (kind ? readState(tx, kind, id) : {});
  const before = await readIt(idOf(call));
  const answer = await handle(call, tx);
  const id = idOf(call, answer);
  const difference = differenceOf(before, await readIt(id));
  await writeEntry(tx, {
    actor: namedPrincipal(call.principal),
    act: name,
    object: kind && { kind, id },
    before: difference.before,
    after: { ...difference.after, ...saidBy(call) },
  });
  return answer;
}

/** Which fields a change named; not what they say, which may be anything. */
function saidBy({ path, body }: Call): State {
  if (path === undefined || typeof body !== 'object' || body === null) return {};
  const fields = Object.entries(body).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  return fields.length > 0 ? { fields } : {};
}

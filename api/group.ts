// Group commit: requests that come while others are being committed share the next transaction. Each of them still
// waits for its own commit; what they share is the round trips and the wait for the disk.
import { type Database, isUnavailable, type Queryable } from '../deploy/database.ts';
import type { Answer, Call } from './operation.ts';
import { Problem } from './problem.ts';

// Bounds how long the first of a group waits for the last.
const mostAtOnce = 64;

type PendingCall = {
  readonly call: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
};

/**
 * Makes the function that answers one request, in a transaction that it may share. A transaction that fails
 * because of one request fails nobody else: then each is tried `alone`.
 */
export function inGroups({
  database,
  handleMany,
  alone,
}: {
  database: Database;
  handleMany: (calls: readonly Call[], tx: Queryable) => Promise<readonly (Answer | Problem)[]>;
  alone: (call: Call) => Promise<Answer>;
}): (call: Call) => Promise<Answer> {
  let pending: PendingCall[] = [];
  let isRunning = false;

  // One at a time: whoever waits for the disk meanwhile makes the next group larger, and everybody has less to do.
  async function run(): Promise<void> {
    isRunning = true;
    while (pending.length > 0) {
      const group = pending.slice(0, mostAtOnce);
      pending = pending.slice(mostAtOnce);
      await runGroup(group);
    }
    isRunning = false;
  }

  async function runGroup(group: readonly PendingCall[]): Promise<void> {
    try {
      const requests = group.map(({ call }) => call);
      const answers = await database.transaction((tx) => handleMany(requests, tx));
      for (const [index, { resolve, reject }] of group.entries()) {
        const answer = answers[index];
        if (!answer) reject(new Error('A request got no answer'));
        else if (answer instanceof Problem) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      // Without the database nobody knows whether the group was committed, so nobody may try again for the caller.
      const isOneOfMany = group.length > 1 && !isUnavailable(error);
      for (const { call, resolve, reject } of group) {
        if (isOneOfMany) await alone(call).then(resolve, reject);
        else reject(error);
      }
    }
  }

  return (call) =>
    new Promise((resolve, reject) => {
      pending.push({ call, resolve, reject });
      if (!isRunning) void run();
    });
}

// Group commit: sharing a transaction must never mean sharing somebody else's failure.
import { expect, test } from 'vitest';
import { inGroups } from '../../api/group.ts';
import type { Answer, Call } from '../../api/operation.ts';
import { Problem } from '../../api/problem.ts';
import { openDatabase, type Queryable } from '../../deploy/database.ts';
import { freshDatabase } from '../kit/database.ts';

const callWith = (body: unknown) => ({ body }) as Call;

async function startGroups() {
  const fresh = await freshDatabase();
  const database = openDatabase({ url: fresh.url, applicationName: 'group-test' });
  await database.query('create table kept (n integer primary key check (n <> 13))');
  const sizes: number[] = [];
  const handleMany = async (calls: readonly Call[], tx: Queryable): Promise<(Answer | Problem)[]> => {
    sizes.push(calls.length);
    const numbers = calls.map(({ body }) => body as number);
    await tx.query('insert into kept select unnest($1::integer[])', [numbers.filter((n) => n !== 7)]);
    return numbers.map((n) =>
      n === 7 ? new Problem('customer-exists', 'Seven.') : { status: 201, body: n },
    );
  };
  const alone = async (call: Call) => {
    const [answer] = await database.transaction((tx) => handleMany([call], tx));
    if (answer instanceof Problem) throw answer;
    return answer as Answer;
  };
  return {
    sizes,
    submit: inGroups({ database, handleMany, alone }),
    kept: async () =>
      (await database.query<{ n: number }>('select n from kept order by n')).rows.map(({ n }) => n),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await fresh.stop();
    },
  };
}

test('requests that come together share few transactions, and each gets its own answer', async () => {
  await using groups = await startGroups();
  const numbers = Array.from({ length: 100 }, (_, index) => index + 100);
  const answers = await Promise.all(numbers.map((n) => groups.submit(callWith(n))));
  expect(answers.map(({ body }) => body)).toEqual(numbers);
  expect(await groups.kept()).toEqual(numbers);
  expect(groups.sizes.length).toBeLessThan(10);
});

test('one that is refused, and one that breaks the transaction, take nobody with them', async () => {
  await using groups = await startGroups();
  const outcomes = await Promise.allSettled([1, 2, 7, 13, 14].map((n) => groups.submit(callWith(n))));
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  expect((outcomes[2] as PromiseRejectedResult).reason).toBeInstanceOf(Problem);
  expect((outcomes[3] as PromiseRejectedResult).reason).toMatchObject({ code: '23514' });
  expect(await groups.kept()).toEqual([1, 2, 14]);
});

// Every statement of every process, asked of PostgreSQL without running it: whether the process has the right to it.
import { expect, test } from 'vitest';
import { openDatabase } from '../../deploy/database.ts';
import { freshDatabase, urlOfProcess } from '../kit/database.ts';
import { isWhole, statementsOf } from '../kit/statements.ts';

const processes = {
  api: statementsOf(['api/main.ts']),
  relay: statementsOf(['relay/main.ts', 'relay/doctor/main.ts']),
  worker: statementsOf(['worker/main.ts']),
};
const names = ['api', 'relay', 'worker'] as const;

/** They are put together from more than constants; what they say is tested where they run. */
const composedAsTheyRun = [
  'deploy/database.ts prepareSession',
  'api/dashboard/search.ts amongNewest',
  'api/dashboard/search.ts amongNewestOfStatus',
  'api/dashboard/search.ts byWords',
  'api/dashboard/search.ts countByWords',
  'api/dashboard/search.ts countOf',
  'api/dashboard/search.ts newest',
  'api/dashboard/search.ts newestOfStatus',
  'api/dashboard/search.ts readNewest',
  'api/dashboard/submitted-search.ts candidates',
  'api/dashboard/submitted-search.ts countSubmitted',
  'api/dashboard/submitted-search.ts found',
  'relay/client/erasure/erase-mentions.ts countOnTheirWay',
  'relay/client/erasure/erase-mentions.ts eraseKeysAndAddresses',
  'relay/client/erasure/erase-mentions.ts eraseXtext',
  'relay/client/erasure/erase-mentions.ts findAttachments',
  'relay/client/erasure/erase-mentions.ts findMessages',
  'relay/client/erasure/erase.ts eraseForms',
  'relay/client/erasure/erase.ts findEmails',
  'relay/client/email/list.ts list',
  'relay/client/email/timeline.ts timelineOf',
  'relay/client/outbox/claim.ts claimDueEmails',
  'relay/client/outbox/claim.ts claimEmail',
  'relay/client/webhook/upkeep.ts removed',
  'relay/client/erasure/redact.ts lastOfPage',
  'relay/client/erasure/redact.ts redactTable',
  'relay/delivery/queue/claim.ts claim',
  'relay/delivery/lanes/refusals.ts concernsLane',
  'relay/delivery/lanes/refusals.ts lastSuccess',
  'relay/delivery/queue/identity.ts readEvidence',
  'relay/delivery/queue/restored.ts holdRecipients',
  'relay/delivery/queue/restored.ts isAnyLeft',
];

test('nearly all statements are whole in the source', () => {
  const all = Object.values(processes).flat();
  expect(all.length).toBeGreaterThan(240);
  const composed = new Set(all.filter((statement) => !isWhole(statement)).map(({ place }) => place));
  expect([...composed].sort()).toEqual([...composedAsTheyRun].sort());
});

test.each(names)('the %s has the right to all its statements', async (process) => {
  await using database = await freshDatabase();
  await using as = openDatabase({
    url: urlOfProcess(database.url, process),
    applicationName: 'statements-test',
    max: 1,
  });
  const refused: string[] = [];
  for (const { place, text } of processes[process].filter(isWhole)) {
    await as
      .query(`explain (generic_plan) ${text}`)
      .catch((error: Error) => refused.push(`${place}: ${error.message}`));
  }
  expect(refused).toEqual([]);
});

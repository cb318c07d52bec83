// Runs the doctor where the mail leaves, in the relay, and tells the page each stage as it comes.
import { setTimeout as pause } from 'node:timers/promises';
import type { Response } from 'express';
import type { Database } from '../../deploy/database.ts';
import { askDoctor, readDoctorRun } from '../../relay/client/status/doctor.ts';
import { emailStatus, isAway } from '../../relay/client/status/heartbeat.ts';
import { startEvents, writeEvent } from '../event-stream.ts';

const pollEveryMs = 200;
// A relay looks for questions every second, and an examination takes at most fifteen.
const begunWithinMs = 8_000;
const overWithinMs = 30_000;

/** Answers with the events `walks`, as often as they have come further, and in the end `result` or `problem`. */
export async function sendExamination(database: Database, response: Response): Promise<void> {
  startEvents(response, { cacheControl: 'no-store, no-transform' });
  const send = (event: string, data: unknown) => writeEvent(response, event, JSON.stringify(data));

  if (isAway((await emailStatus(database)).relay)) {
    send('problem', {
      title: 'The relay is not running',
      detail: 'The doctor runs inside the relay. Start the relay, or read its log.',
    });
    return void response.end();
  }
  const id = await askDoctor(database);
  const began = performance.now();
  let sent = '[]';
  while (!response.destroyed) {
    const run = await readDoctorRun(database, id);
    const walks = JSON.stringify(run?.walks ?? []);
    if (walks !== sent) send('walks', run?.walks);
    sent = walks;
    if (run?.report) {
      send('result', run.report);
      break;
    }
    const waitedMs = performance.now() - began;
    if (waitedMs > (run?.isTaken ? overWithinMs : begunWithinMs)) {
      send('problem', {
        title: 'The relay does not answer',
        detail: 'The relay is running but did not start the examination. Read its log, or restart it.',
      });
      break;
    }
    await pause(pollEveryMs);
  }
  response.end();
}

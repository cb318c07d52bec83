// Examines when somebody asks through the database, and writes down how far it has come while they watch.
import { setTimeout as pause } from 'node:timers/promises';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Repeating } from '../../deploy/repeat.ts';
import { everyWhileAwake, type Sleep } from '../../deploy/sleep.ts';
import { type DoctorWalk, finishDoctorRun, takeDoctorRun, tellDoctorRun } from '../client/status/doctor.ts';
import type { PreflightReport } from '../client/status/heartbeat.ts';
import type { Examination, WalkReport } from './examination.ts';

/** Called once for each provider when its walks begin; `look` tells how far they are. */
export type UnderWay = (look: () => readonly WalkReport[]) => void;

type Answering = {
  readonly database: Database;
  readonly log: Log;
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly sleep: Sleep;
  readonly examineNow: (underWay: UnderWay) => Promise<{ examination: Examination; report: PreflightReport }>;
};

/** When nobody rings. */
const lookEveryMs = 30_000;
const toldEveryMs = 150;

/** Answers one after the other; `now` looks whether somebody asks. `signal` ends the answer under way. */
export function answerDoctorRuns({
  database,
  log,
  instance,
  signal,
  sleep,
  examineNow,
}: Answering): Repeating {
  return everyWhileAwake(sleep, lookEveryMs, async () => {
    try {
      const id = await takeDoctorRun(database, instance);
      if (id !== undefined) await answer(id);
    } catch (error) {
      // Whoever asked is told that no answer came; nothing else depends on it.
      if (!signal.aborted && !isUnavailable(error)) log.warn({ err: error }, 'The doctor could not answer');
    }
  });

  async function answer(id: string): Promise<void> {
    const looks: (() => readonly WalkReport[])[] = [];
    const over = new AbortController();
    const telling = tell(id, () => looks.flatMap((look) => look()).map(toWalk), over.signal);
    try {
      const { examination, report } = await examineNow((look) => looks.push(look));
      over.abort();
      await telling;
      await finishDoctorRun(database, id, examination.walks.map(toWalk), report);
    } finally {
      over.abort();
      await telling;
    }
  }

  async function tell(id: string, look: () => DoctorWalk[], until: AbortSignal): Promise<void> {
    let told = '[]';
    while (!until.aborted) {
      const walks = look();
      const words = JSON.stringify(walks);
      // What could not be written now is in the next look.
      if (words !== told) await tellDoctorRun(database, id, walks).catch(() => {});
      told = words;
      await pause(toldEveryMs, undefined, { signal: until }).catch(() => {});
    }
  }
}

const toWalk = ({ route, host, port, family, steps }: WalkReport): DoctorWalk => ({
  route,
  host,
  port,
  family,
  steps,
});

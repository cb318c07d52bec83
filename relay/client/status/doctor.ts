// Asking the relay to examine its way out while somebody watches. Only the relay has the provider's password and stands
// where the mail leaves, so the question waits in the database until a relay takes it, and the answer grows there.
import { ring } from '../../../deploy/bell.ts';
import { type Database, type Queryable, uuidv7 } from '../../../deploy/database.ts';
import type { Stage } from '../vocabulary.ts';
import type { PreflightReport } from './heartbeat.ts';

/** One way to the provider, stage by stage; stages that were not come to yet are `not reached`. */
export type DoctorWalk = {
  readonly route: string;
  readonly host: string;
  readonly port: number;
  readonly family: string | null;
  readonly steps: readonly {
    readonly stage: Stage;
    readonly outcome: 'passed' | 'failed' | 'skipped' | 'not reached';
    readonly ms: number | null;
    readonly says: string;
  }[];
};

export type DoctorRun = {
  /** Whether a relay has begun. */
  readonly isTaken: boolean;
  readonly walks: readonly DoctorWalk[];
  /** Null until it is over. */
  readonly report: PreflightReport | null;
};

// Longer than an examination takes; a relay that died in one keeps nobody from asking again for longer.
const forgottenAfterSeconds = 60;

/** Asks, or joins those who are asking already. Answers the id of the run. */
export async function askDoctor(database: Database): Promise<string> {
  return database.transaction(async (tx) => {
    await tx.query(
      `delete from doctor_run where asked_at < now() - interval '${forgottenAfterSeconds} seconds'`,
    );
    await tx.query('insert into doctor_run (id) values ($1) on conflict do nothing', [uuidv7()]);
    const { rows } = await tx.query<{ id: string }>('select id from doctor_run where finished_at is null');
    await ring(tx, 'relay');
    if (!rows[0]) throw new Error('The examination was over before it was asked for');
    return rows[0].id;
  });
}

export async function readDoctorRun(q: Queryable, id: string): Promise<DoctorRun | undefined> {
  const { rows } = await q.query<DoctorRun>(
    'select taken_by is not null as "isTaken", walks, report from doctor_run where id = $1',
    [id],
  );
  return rows[0];
}

/** The run that waits for a relay, if there is one: it is this relay's from now on. */
export async function takeDoctorRun(q: Queryable, instance: string): Promise<string | undefined> {
  const { rows } = await q.query<{ id: string }>({
    name: 'take-doctor-run',
    text: 'update doctor_run set taken_by = $1 where finished_at is null and taken_by is null returning id',
    values: [instance],
  });
  return rows[0]?.id;
}

export async function tellDoctorRun(q: Queryable, id: string, walks: readonly DoctorWalk[]): Promise<void> {
  await q.query('update doctor_run set walks = $2 where id = $1', [id, JSON.stringify(walks)]);
}

export async function finishDoctorRun(
  q: Queryable,
  id: string,
  walks: readonly DoctorWalk[],
  report: PreflightReport,
): Promise<void> {
  await q.query('update doctor_run set walks = $2, report = $3, finished_at = now() where id = $1', [
    id,
    JSON.stringify(walks),
    JSON.stringify(report),
  ]);
}

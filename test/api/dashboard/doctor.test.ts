// What the page hears when it asks the doctor, with the test in the place of the relay.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishDoctorRun, takeDoctorRun, tellDoctorRun } from '../../../relay/client/status/doctor.ts';
import { beat, type PreflightReport } from '../../../relay/client/status/heartbeat.ts';
import { until } from '../../kit/until.ts';
import { type Dashboard, startDashboard } from './dashboard.ts';

let dashboard: Dashboard;
let cookie: string;
beforeAll(async () => {
  dashboard = await startDashboard();
  cookie = await dashboard.cookie();
});
afterAll(() => dashboard[Symbol.asyncDispose]());

const relay = randomUUID();

/** Asks, and hears what the page is told until `wanted` has been said. */
async function ask() {
  const response = await fetch(`${dashboard.base}/dashboard/doctor`, {
    method: 'POST',
    headers: { cookie, 'x-postern-dashboard': '1', 'content-type': 'application/json' },
    body: '{}',
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let heard = '';
  return async (wanted: RegExp) => {
    while (!wanted.test(heard)) {
      const piece = await reader?.read();
      if (!piece || piece.done) throw new Error(`It ended without ${wanted}: ${heard}`);
      heard += piece.value;
    }
  };
}

const walk = {
  route: 'smtp-465',
  host: 'smtp.example.com',
  port: 465,
  family: 'IPv4',
  steps: [{ stage: 'dns', outcome: 'passed', ms: 3, says: '192.0.2.1' }],
} as const;

const report: PreflightReport = {
  ok: true,
  at: '2026-11-22T09:00:00.000Z',
  platform: 'a test',
  route: 'smtp-465',
  diagnosis: null,
  walks: [],
  notes: [],
};

test('without a relay it says at once that there is none to ask', async () => {
  const hear = await ask();
  await hear(/^event: problem\ndata: \{"title":"The relay is not running"/);
  expect(await takeDoctorRun(dashboard.database, relay)).toBeUndefined();
});

test('two who ask at once watch one examination, and the next one is a new one', async () => {
  await beat(dashboard.database, {
    instance: relay,
    process: 'relay',
    report: { configured: true, missing: [] },
  });
  const pages = await Promise.all([ask(), ask()]);
  const id = await until(() => takeDoctorRun(dashboard.database, relay));
  await tellDoctorRun(dashboard.database, id, [walk]);
  for (const hear of pages) await hear(/event: walks\ndata: \[\{.*"says":"192\.0\.2\.1"/);
  await finishDoctorRun(dashboard.database, id, [walk], report);
  for (const hear of pages) await hear(/event: result\ndata: \{.*"route":"smtp-465"/);

  const hear = await ask();
  const next = await until(() => takeDoctorRun(dashboard.database, relay));
  expect(next).not.toBe(id);
  await finishDoctorRun(dashboard.database, next, [], report);
  await hear(/event: result/);
});

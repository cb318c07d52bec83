// /livez: this process answers. /readyz: it can do its work, which is to commit to PostgreSQL. Whether a provider
// takes mail is no part of it: while it does not, mail is kept.
import { Router } from 'express';
import type { Queryable } from '../deploy/database.ts';
import { alwaysAwake, type Sleep } from '../deploy/sleep.ts';
import { emailStatus, readHeartbeats } from '../relay/client/status/heartbeat.ts';

const timeoutMs = 3_000;

export function healthPages({
  database,
  sleep = alwaysAwake,
  isStopping,
}: {
  database: Queryable;
  sleep?: Sleep;
  isStopping: () => boolean;
}): Router {
  const router = Router();

  router.get('/livez', (_request, response) => {
    response.set('cache-control', 'no-store').json({ status: 'ok' });
  });

  router.get('/readyz', async (request, response) => {
    if (sleep.isAsleep && !isStopping()) {
      response.set('cache-control', 'no-store').json({
        ready: true,
        ...(request.query.verbose !== undefined && { asleep_since: sleep.since }),
      });
      return;
    }
    const reachable = await isReachable(database);
    const ready = reachable && !isStopping();
    response.status(ready ? 200 : 503).set('cache-control', 'no-store');
    if (request.query.verbose === undefined || !reachable) {
      response.json({ ready });
      return;
    }
    const processes = (await readHeartbeats(database)).map(
      ({ process, alive, asleepSince, startedAt, seenAt }) => ({
        process,
        alive,
        asleep_since: asleepSince,
        started_at: startedAt,
        seen_at: seenAt,
      }),
    );
    const { report, scheduler } = await emailStatus(database);
    const preflight = report?.preflight;
    const mail = preflight && {
      can_leave: preflight.ok,
      at: preflight.at,
      stage: preflight.diagnosis?.stage ?? null,
      cause: preflight.diagnosis?.cause ?? null,
    };
    response.json({
      ready,
      database: 'reachable',
      processes,
      scheduler: { running: scheduler.running, last_tick: scheduler.lastTick },
      mail: mail ?? null,
    });
  });

  return router;
}

async function isReachable(database: Queryable): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, timeoutMs, false);
  const asked = database.query('select 1').then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([asked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

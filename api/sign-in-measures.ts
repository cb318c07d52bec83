// Who was not let in, counted for Prometheus: by door and by reason, never by whom.
import type { Metrics } from '../deploy/metrics.ts';

/** `wrong`: that was not the key or the password. `throttled`: it was not even compared, after too many of those. */
export type RefusedSignIn = 'wrong' | 'throttled';

export type CountRefused = (reason: RefusedSignIn) => void;

/** @returns a counter for each door of the api */
export function measureSignIns(metrics: Metrics): Record<'key' | 'dashboard' | 'oidc', CountRefused> {
  const count = metrics.counter({
    name: 'postern_sign_ins_refused_total',
    help: 'Wrong API keys, wrong dashboard passwords and failed sign-ins by OpenID Connect, by door (key, dashboard, oidc). Throttled: refused without a check, because there were too many.',
    labels: ['door', 'reason'],
  });
  const at = (door: string): CountRefused => {
    // From 0 on, so that the first one is an increase.
    for (const reason of ['wrong', 'throttled'] as const) count({ door, reason }, 0);
    return (reason) => count({ door, reason });
  };
  return { key: at('key'), dashboard: at('dashboard'), oidc: at('oidc') };
}

// What every part of delivery works with.
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { Log } from '../../deploy/log.ts';
import type { Metrics } from '../../deploy/metrics.ts';
import type { Alert } from '../alerts/alerts.ts';
import type { SmtpFailure } from '../smtp/failure.ts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Judgement } from '../verdict/failure.ts';
import { judge } from '../verdict/verdict.ts';
import { type Measures, openMeasures } from './measures.ts';
import type { DeliverySettings, Provider } from './settings.ts';
import type { Timeouts } from './timeouts.ts';

export type DeliveryContext = {
  readonly database: Database;
  readonly log: Log;
  /** This process among all relays: a UUID. */
  readonly instance: string;
  readonly settings: DeliverySettings;
  readonly timeouts: Timeouts;
  readonly measures: Measures;
  readonly tokens: Tokens;
  /** Aborts when this relay stops: no dot leaves any more. */
  readonly stopping: AbortSignal;
  judge(provider: Provider, failure: SmtpFailure): Judgement;
  /** Tells a person. */
  alert(alert: Alert): void;
  /** Writes into the log what could not be done. @param doing "… could not go on: claiming mail" */
  failed(error: unknown, doing: string): void;
  /** Does what mail can do without. Undefined when it failed; the log says so. */
  tryTo<T>(doing: string, work: () => Promise<T>): Promise<T | undefined>;
};

type Given = Pick<
  DeliveryContext,
  'database' | 'log' | 'instance' | 'settings' | 'timeouts' | 'stopping' | 'alert' | 'tokens'
> & {
  readonly metrics: Metrics | undefined;
  /** Called whenever PostgreSQL did not answer: whoever judges leases must wait. */
  readonly databaseWasAway: () => void;
};

export function openContext({ metrics, databaseWasAway, ...given }: Given): DeliveryContext {
  const { log, stopping } = given;
  const failed = (error: unknown, doing: string) => {
    const isAway = isUnavailable(error);
    if (stopping.aborted && (isAway || error === stopping.reason)) return;
    if (isAway) databaseWasAway();
    log[isAway ? 'warn' : 'error'](
      { err: error, event: 'delivery-failed', doing },
      `Delivery could not go on: ${doing}`,
    );
  };
  return {
    ...given,
    measures: openMeasures(metrics),
    failed,
    judge: (provider, { stage, symptom }) =>
      judge({ stage, symptom: { ...symptom, hostname: symptom.hostname ?? provider.host } }),
    async tryTo(doing, work) {
      try {
        return await work();
      } catch (error) {
        failed(error, doing);
        return undefined;
      }
    },
  };
}

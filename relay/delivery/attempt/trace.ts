// The span of an attempt, for whoever collects traces.
import { endFailed, startSpan } from '../../../deploy/trace.ts';
import type { ClaimedMail } from '../../policy/claimed-mail.ts';
import type { Transaction } from '../../smtp/transaction.ts';
import type { Route } from '../settings.ts';
import type { Decision } from './decide.ts';

/** Undefined when nobody collects traces. */
export function traceAttempt(
  { traceparent, queueId, emailId }: ClaimedMail,
  { host, port }: Route,
): { end(transaction: Transaction, decision: Decision): void } | undefined {
  const span = startSpan('attempt', traceparent);
  if (!span) return undefined;
  return {
    end({ end }, { dispositions }) {
      span.setAttributes({
        'postern.queue_id': queueId,
        ...(emailId !== null && { 'postern.email_id': emailId }),
        'server.address': host,
        'server.port': port,
        'postern.statuses': dispositions.map(({ status }) => status),
      });
      const failed = dispositions.find(({ failure }) => failure !== null);
      if (end.kind === 'answered' && !failed) span.end();
      else endFailed(span, end.kind === 'fenced' ? end.why : (failed?.reason ?? end.kind));
    },
  };
}

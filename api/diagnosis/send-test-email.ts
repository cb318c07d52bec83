// POST /api/v1/test-email: a real email to the provider, told stage by stage.
import { z } from 'zod';
import type { Database } from '../../deploy/database.ts';
import { stages } from '../../relay/client/vocabulary.ts';
import { mailbox } from '../emails/mailbox.ts';
import { id } from '../fields.ts';
import { type Operation, reads } from '../operation.ts';
import { Problem } from '../problem.ts';
import type { Sending } from '../sending.ts';
import { runTestEmail, type TestResult, type TestStep } from './test-email.ts';

const stageView = z
  .strictObject({
    route: z.string().nullable(),
    host: z.string().nullable(),
    port: z.int().nullable(),
    stage: z.enum(stages),
    ok: z.boolean(),
    ms: z.number().nullable(),
    reply: z.string().nullable(),
  })
  .meta({ id: 'StageTold' });

const sentView = z
  .strictObject({
    sent: z.literal(true),
    email_id: id,
    stages: z.array(stageView),
    route: z.string().nullable(),
    reply: z.string().nullable().meta({ description: 'The reply of the provider, word for word.' }),
  })
  .meta({ id: 'TestEmailSent' });

export function sendTestEmail({ database, sending }: { database: Database; sending: Sending }): Operation {
  return reads({
    id: 'sendTestEmail',
    method: 'post',
    path: '/api/v1/test-email',
    tag: 'Diagnosis',
    summary: 'Send a test email through the real path, and see the result',
    description:
      'Waits up to 30 seconds. With `Accept: text/event-stream` every stage is reported as it happens: events `stage`, ' +
      'and in the end `result` or `problem`. Not idempotent: every call sends an email.',
    scope: 'send',
    body: z
      .strictObject({ to: mailbox.optional().meta({ description: 'By default the From address.' }) })
      .meta({ id: 'TestEmail' }),
    bodyExample: { to: 'ann@example.com' },
    answers: { 200: { description: 'The provider accepted it.', schema: sentView } },
    problems: ['test-email-failed', 'sender-not-allowed'],
    async handle({ body, principal, traceparent, wantsEvents, gone }) {
      const steps = runTestEmail({
        database,
        sending,
        to: body.to,
        principal,
        traceparent,
        signal: gone,
      });
      if (wantsEvents) return { status: 200, events: toEvents(steps) };
      for await (const step of steps) {
        if (step.kind === 'result') return { status: 200, body: answerOf(step.result) };
      }
      throw new Error('A test email ended without a result');
    },
  });
}

/** The answer; throws `test-email-failed` with stage, cause and fix. */
function answerOf(result: TestResult): unknown {
  if (result.sent) return result;
  const { failure, ...rest } = result;
  throw new Problem('test-email-failed', `${failure.title}.`.replace(/\.+$/, '.'), {
    members: { ...rest, ...failure },
  });
}

async function* toEvents(steps: AsyncIterable<TestStep>): AsyncGenerator<{ event: string; data: unknown }> {
  for await (const step of steps) {
    if (step.kind === 'stage') yield { event: 'stage', data: step.stage };
    else yield { event: 'result', data: answerOf(step.result) };
  }
}

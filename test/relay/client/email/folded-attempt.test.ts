// The timeline reads as if each attempt had a row.
import { expect, test } from 'vitest';
import { unfold } from '../../../../relay/client/email/folded-attempt.ts';

const sent = {
  type: 'sent' as const,
  recipient: 'ann@example.org',
  detail: { route: 'primary', code: 250, reply: '250 ok', providerQueueId: 'Q1' },
};
const attempt = {
  lane: 'smtp',
  host: 'mail.example.net',
  port: 465,
  tlsMode: 'implicit',
  timings: { mail: 1, dot: 2 },
};

test('an attempt that sent everybody stands in front of the first of them, with all it ever said', () => {
  const folded = { ...sent, detail: { ...sent.detail, enhanced: '2.0.0', attempt } };
  expect(unfold([folded, sent])).toEqual([
    {
      type: 'attempt',
      recipient: null,
      detail: {
        lane: 'smtp',
        route: 'primary',
        host: 'mail.example.net',
        port: 465,
        tlsMode: 'implicit',
        stage: 'accepted',
        code: 250,
        enhanced: '2.0.0',
        reply: '250 ok',
        timings: { mail: 1, dot: 2 },
      },
    },
    { ...sent, detail: { ...sent.detail, enhanced: '2.0.0' } },
    sent,
  ]);
});

test('a reply without an enhanced code has none', () => {
  expect(unfold([{ ...sent, detail: { ...sent.detail, attempt } }])[0]?.detail).toMatchObject({
    enhanced: null,
  });
});

test('rows of before are as they were', () => {
  const rows = [{ type: 'attempt' as const, recipient: null, detail: { stage: 'accepted' } }, sent];
  expect(unfold(rows)).toEqual(rows);
});

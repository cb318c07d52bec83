import { expect, test } from 'vitest';
import { maskAddress, openLog } from '../../deploy/log.ts';

function capture(addresses: 'masked' | 'full' = 'masked') {
  const lines: string[] = [];
  const log = openLog('relay', 'info', { addresses, destination: { write: (line) => lines.push(line) } });
  return { log, lines };
}

test.each([
  ['ann@example.com', 'a***@example.com'],
  ['"a@b"@example.com', '"***@example.com'],
  ['üli@example.com', 'ü***@example.com'],
  ['@example.com', '***'],
  ['no address', '***'],
])('%s is shown as %s', (address, shown) => {
  expect(maskAddress(address)).toBe(shown);
});

test('a line says when, who, how bad and what', () => {
  const { log, lines } = capture();
  log.info({ queueId: '4XkQ2b' }, 'Email configured (SMTP). Sending enabled.');
  log.debug('not at this level');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      process: 'relay',
      queueId: '4XkQ2b',
      msg: 'Email configured (SMTP). Sending enabled.',
    },
  ]);
});

test('an error is logged with its code and causes, and without credentials, configuration and rows', () => {
  const { log, lines } = capture();
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 5432 });
  const error = Object.assign(
    new Error('cannot reach postgres://postern:s3cr@t-pass@db/postern for <ann@example.com>', { cause }),
    {
      client: { password: 's3cret-field' },
      auth: { pass: 's3cret-field' },
      detail: 'Key (email)=(ann@example.com)',
    },
  );
  log.error({ err: new AggregateError([error], 'all failed') }, 'Could not start');
  const [line = ''] = lines;
  expect(line).not.toMatch(/s3cr|ret-field|t-pass|ann@|detail/);
  expect(JSON.parse(line).err.errors[0]).toMatchObject({
    message: 'cannot reach postgres://***@db/postern for <a***@example.com>',
    cause: { code: 'ECONNREFUSED', port: 5432 },
  });
});

test('addresses in errors are whole when the operator wants them', () => {
  const { log, lines } = capture('full');
  log.error({ err: new Error('550 5.1.1 <ann@example.com> who?') }, 'Bounced');
  expect(JSON.parse(lines[0] ?? '').err.message).toBe('550 5.1.1 <ann@example.com> who?');
});

test('an error that is its own cause ends somewhere', () => {
  const { log, lines } = capture();
  const error = new Error('round and round');
  error.cause = error;
  log.error({ err: error }, 'Odd');
  expect(lines).toHaveLength(1);
});

// Who waits after failed logins, and who does not: on two relays that share a database, and over real sessions.
import { expect, test } from 'vitest';
import { openDatabase, type Queryable } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { uuidv7 } from '../../../deploy/uuid.ts';
import { forgetLogins } from '../../../relay/client/erasure/retention.ts';
import { hashSecret, newSecret } from '../../../relay/client/keys/secret.ts';
import { openCredentials } from '../../../relay/submission/credentials.ts';
import { openKeys } from '../../../relay/submission/keys.ts';
import { type LoginAttempt, openLogins } from '../../../relay/submission/logins.ts';
import { networkOf, openThrottle } from '../../../relay/submission/throttle.ts';
import { freshDatabase } from '../../kit/database.ts';
import { connect } from '../../kit/transcript.ts';
import { startRelay } from './submitting.ts';

const credentials = openCredentials([{ name: 'shop', password: 'right' }]);
const log = openLog('relay', 'silent');
const loginsOf = (q: Queryable) => {
  const common = { allowed: ['*'], setBy: 'SMTP_ALLOWED_SENDERS', rewriteTo: undefined };
  return openLogins({ q, credentials, keys: openKeys({ q, common, log }), log });
};
const attempt = (more: Partial<LoginAttempt> = {}): LoginAttempt => ({
  session: {},
  address: '2001:db8:1:2::1',
  name: 'shop',
  password: 'wrong',
  ...more,
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('a right password that never passed from there waits like a wrong one; other networks do not', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const [one, other] = [loginsOf(opened), loginsOf(opened)];
  // Different addresses of one /64, and on two relays by turns.
  for (let n = 0; n < 5; n++) {
    const logins = n % 2 ? one : other;
    const outcome = await logins.judge(
      attempt({ address: `2001:db8:1:2::${n + 1}`, password: `wrong ${n}` }),
    );
    expect(outcome).toEqual({ outcome: 'failed' });
  }
  for (const logins of [one, other]) {
    for (const password of ['right', 'wrong']) {
      const outcome = await logins.judge(attempt({ address: '2001:db8:1:2:ffff::9', password }));
      // The relay that has not counted the fifth learns of it with its next failure.
      if (outcome.outcome !== 'failed')
        expect(outcome).toEqual({ outcome: 'wait', seconds: expect.any(Number) });
      if (password === 'right') expect(outcome.outcome).toBe('wait');
    }
    expect(await logins.judge(attempt({ password: 'wrong again' }))).toMatchObject({ outcome: 'wait' });
  }
  expect(await one.judge(attempt({ address: '2001:db8:1:3::1', password: 'right' }))).toMatchObject({
    outcome: 'passed',
  });
});

test('a relay that guessers come to next knows what they failed at another', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const [one, other] = [loginsOf(opened), loginsOf(opened)];
  for (let n = 0; n < 4; n++) await one.judge(attempt({ password: `guess ${n}` }));
  expect(await other.judge(attempt({ password: 'guess 4' }))).toEqual({ outcome: 'failed' });
  expect(await other.judge(attempt({ password: 'guess 5' }))).toMatchObject({ outcome: 'wait' });
});

test('a login that passed from there within 30 days passes whatever strangers try, also after a restart', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const before = loginsOf(opened);
  expect(await before.judge(attempt({ password: 'right' }))).toMatchObject({ outcome: 'passed' });
  for (let n = 0; n < 6; n++) await before.judge(attempt({ password: `guess ${n}` }));
  for (let n = 0; n < 60; n++)
    await before.judge(attempt({ name: `name ${n % 12}`, password: `guess ${n}` }));
  expect(await before.judge(attempt())).toMatchObject({ outcome: 'wait' });
  expect(await before.judge(attempt({ address: '2001:db8:1:2::77', password: 'right' }))).toMatchObject({
    outcome: 'passed',
  });
  const after = loginsOf(opened);
  expect(await after.judge(attempt({ password: 'right' }))).toMatchObject({ outcome: 'passed' });

  await database.query(`update login_proof set succeeded_at = now() - interval '31 days'`);
  const later = loginsOf(opened);
  expect(await later.judge(attempt({ password: 'right' }))).toMatchObject({ outcome: 'wait' });
  await database.query(`update login_failure set since = now() - interval '2 hours'`);
  expect(await forgetLogins(opened)).toBeGreaterThan(0);
  expect((await database.query('select from login_proof')).rowCount).toBe(0);
});

test('PLAIN and then LOGIN with the same wrong password is one failure; other passwords are others', async () => {
  await using stack = await startRelay();
  const session = async () => {
    const client = await connect(stack.relay.port);
    await client.expect('220 *');
    await client.send('EHLO laptop').expect('250 *');
    return client;
  };
  for (let n = 0; n < 4; n++) {
    await using client = await session();
    await client.authPlain('blog', 'old password').expect('535 *');
    await (await client.authLogin('blog', 'old password')).expect('535 *');
  }
  await using last = await session();
  await last.authPlain('blog', 'old password').expect('535 *');
  await last.authPlain('blog', 'another').expect('454 *');
  const { rows } = await stack.database.query('select max(failures) as failures from login_failure');
  expect(rows).toEqual([{ failures: 5 }]);
});

test('a database that is away: memory counts, and a login that may pass does', async () => {
  const database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const logins = loginsOf(opened);
  await database.stop();
  expect(await logins.judge(attempt({ password: 'right' }))).toMatchObject({ outcome: 'passed' });
  for (let n = 0; n < 5; n++) {
    expect(await logins.judge(attempt({ password: `wrong ${n}` }))).toEqual({ outcome: 'failed' });
  }
  expect(await logins.judge(attempt({ password: 'wrong' }))).toMatchObject({ outcome: 'wait' });
});

test('what is no secret of a key is refused without asking for it; who failed too often asks 20 times a second', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  let looks = 0;
  const logins = loginsOf({
    query(statement, values) {
      if (typeof statement === 'object' && statement.name === 'submission-keys') looks++;
      return opened.query(statement, values);
    },
  });
  const secret = newSecret();
  const guesses = [
    'secret',
    'postern_',
    `${secret}x`,
    secret.slice(0, -1),
    secret.toUpperCase(),
    ` ${secret}`,
  ];
  for (const [n, password] of guesses.entries()) {
    expect((await logins.judge(attempt({ name: `name ${n}`, password }))).outcome).toBe('failed');
  }
  // A name with a password of its own takes no key.
  expect(await logins.judge(attempt({ password: secret }))).toEqual({ outcome: 'failed' });
  expect(looks).toBe(0);
  for (let n = 0; n < 5; n++) {
    const outcome = await logins.judge(attempt({ name: 'blog', password: newSecret() }));
    expect(outcome).toEqual({ outcome: 'failed' });
  }
  expect(looks).toBe(5);
  const startedAt = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, () => logins.judge(attempt({ name: 'blog', password: newSecret() }))),
  );
  expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['wait']));
  const seconds = Math.ceil((performance.now() - startedAt) / 1_000) + 1;
  expect(looks - 5).toBeLessThanOrEqual(20 * seconds);
});

test('a key passes from where it has passed before, whatever others try; without the database nobody can tell', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const [one, other] = [loginsOf(opened), loginsOf(opened)];
  const secret = newSecret();
  await database.query(
    `insert into api_key (id, name, secret_hash, ending, scopes) values ($1, 'Shop', $2, '', '{send}')`,
    [uuidv7(), hashSecret(secret)],
  );
  const right = () => attempt({ name: 'blog', password: secret });
  expect(await one.judge(right())).toMatchObject({ outcome: 'passed' });
  for (let n = 0; n < 6; n++) await other.judge(attempt({ name: 'blog', password: `guess ${n}` }));
  expect(await other.judge(attempt({ name: 'blog', password: 'guess' }))).toMatchObject({ outcome: 'wait' });
  expect(await other.judge(right())).toMatchObject({ outcome: 'passed' });
  expect(await other.judge(attempt({ name: 'blog', password: secret, address: '192.0.2.1' }))).toMatchObject({
    outcome: 'passed',
  });
  await database.query('delete from login_proof');
  // Another relay, to which it is new.
  expect(await loginsOf(opened).judge(right())).toMatchObject({ outcome: 'wait' });

  await database.stop();
  expect(await one.judge(right())).toEqual({ outcome: 'unknown' });
});

test('a key that is revoked while it is looked up does not pass, and one who hung up is not remembered', async () => {
  await using database = await freshDatabase();
  await using opened = openDatabase({ url: database.url, applicationName: 'test' });
  const secret = newSecret();
  await database.query(
    `insert into api_key (id, name, secret_hash, ending, scopes, senders)
     values ($1, 'Shop', $2, '', '{send}', '{*@example.net,*@example.com,info@example.org,ann@example.com}')`,
    [uuidv7(), hashSecret(secret)],
  );
  let meanwhile = async () => {};
  const q: Queryable = {
    async query(statement, values) {
      const result = await opened.query(statement, values);
      const work = meanwhile;
      meanwhile = async () => {};
      await work();
      return result as never;
    },
  };
  const common = {
    allowed: ['*@example.com'],
    setBy: 'SMTP_ALLOWED_SENDERS',
    rewriteTo: 'no-reply@example.com',
  };
  await using keys = openKeys({ q, common, log });
  const gone = {};
  meanwhile = async () => keys.forget(gone);
  expect(await keys.find(gone, secret)).toMatchObject({
    outcome: 'valid',
    key: {
      senders: {
        allowed: ['*@example.com', 'ann@example.com'],
        setBy: 'the senders of the key Shop',
        // Its first plain sender that the relay allows.
        rewriteTo: 'ann@example.com',
      },
    },
  });
  expect(keys.of(gone)).toBeUndefined();

  meanwhile = async () => {
    await database.query('update api_key set revoked_at = now()');
    keys.look();
  };
  expect(await keys.find({}, secret)).toEqual({ outcome: 'refused', why: 'This API key was revoked' });
});

test('penalties are not forgotten because twenty thousand others fail', () => {
  const throttle = openThrottle();
  for (let n = 0; n < 5; n++) throttle.failed('192.0.2.1', 'shop', 0);
  for (let n = 0; n < 20_000; n++) throttle.failed(`198.51.${n >> 8}.${n & 255}`, 'shop', 1_000);
  expect(throttle.wait('192.0.2.1', 'shop', 2_000)).toBeGreaterThan(0);
  // Who comes when there is no room shares a count, and waits with the others.
  expect(throttle.wait('203.0.113.5', 'shop', 2_000)).toBeGreaterThan(0);
  expect(throttle.wait('203.0.113.5', 'shop', 602_000)).toBe(0);
});

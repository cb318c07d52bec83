// The daily look at the senders' domains, with a real name server and a real database.
import { expect, test } from 'vitest';
import { openDatabase } from '../../../deploy/database.ts';
import { openLog } from '../../../deploy/log.ts';
import { askDomain, readDomain } from '../../../relay/client/status/domains.ts';
import { watchDomains } from '../../../relay/doctor/watch-domains.ts';
import { freshDatabase } from '../../kit/database.ts';
import { startDns } from '../../kit/dns-server.ts';
import { until } from '../../kit/until.ts';

test('while the provider is the stand-in, only looks that somebody asks for are taken', async () => {
  await using dns = await startDns('example.com MX 10 mx.example.net');
  await using fresh = await freshDatabase();
  await using database = openDatabase({ url: fresh.url, applicationName: 'test', max: 2 });
  let isStandIn: boolean | undefined;
  const from = { email: 'mailer@example.com' };
  await using watch = watchDomains({
    environment: {
      from,
      providers: [{ host: '127.0.0.1', allowedSenders: [] }],
      dnsResolvers: [dns.address],
    } as never,
    database,
    log: openLog('relay', 'silent'),
    alert: () => {},
    isStandIn: () => isStandIn,
  });
  const named = () =>
    until(async () => (await database.query('select from sender_domain')).rowCount, { what: 'a domain' });
  const waits = async () => {
    const { rows } = await database.query<{ waits: boolean }>(
      `select next_check_at = 'infinity' as waits from sender_domain`,
    );
    return rows[0]?.waits;
  };
  const look = async () => {
    const at = await askDomain(database, 'example.com');
    watch.look();
    await until(() => at && readDomain(database, 'example.com', at), { what: 'a look' });
  };
  watch.look();
  await named();
  // Nobody knows yet.
  isStandIn = true;
  expect(await waits()).toBe(true);
  expect(dns.questions).toEqual([]);
  await look();
  expect(dns.questions.length).toBeGreaterThan(0);
  expect(await waits()).toBe(true);
  // The relay was started with a real provider.
  isStandIn = false;
  watch.look();
  await until(async () => (await waits()) === false, { what: 'a look to be due again' });
});

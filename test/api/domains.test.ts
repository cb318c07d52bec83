// The senders' domains from DNS to the API, the metric, the alert and a webhook's event, with real processes.
import { expect, test } from 'vitest';
import { startDns } from '../kit/dns-server.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const zones = `
  example.com NS dns1.registrar-servers.com
  example.com MX 10 mx.example.net
  example.com TXT "v=spf1 ip4:192.0.2.1 ~all"
  _dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:dmarc@example.com"
  shop.example NS ns.shop.example
`;

test("a look at the senders' domains is asked for over HTTP, and two bad ones are an alert and an event", async () => {
  await using dns = await startDns(zones);
  await using stack = await startStack({
    processes: ['api', 'relay'],
    relay: { DNS_RESOLVERS: dns.address, SMTP_ALLOWED_SENDERS: 'mailer@example.com,*@shop.example' },
    api: { SMTP_FROM_EMAIL: 'mailer@example.com' },
  });
  const check = (domain: string) => stack.api.get(`/api/v1/domains/${domain}/check`);
  // A relay names its domains when it looks for the first time.
  const known = await until(
    async () => {
      const { body } = await stack.api.get('/api/v1/domains');
      return body.data.length === 2 && body.data;
    },
    { what: "the relay to name its senders' domains", timeoutMs: 60_000 },
  );
  expect(known.map(({ domain }: { domain: string }) => domain)).toEqual(['example.com', 'shop.example']);

  await stack.database.query(
    `insert into webhook (id, url) values (gen_random_uuid(), 'https://hooks.example.net/postern')`,
  );
  for (let look = 0; look < 2; look++) {
    const { status, body } = await check('SHOP.example.');
    expect([status, body.domain, body.result]).toEqual([200, 'shop.example', 'fail']);
    expect(body.findings.map(({ cause }: { cause: string }) => cause)).toContain('spf-missing');
    expect(body.receivers.map(({ answer }: { answer: string }) => answer)).toContain('no');
  }
  expect((await check('stranger.example')).status).toBe(404);

  const { rows: events } = await stack.database.query<{ data: object }>(
    `select data from webhook_delivery where type = 'domain.changed'`,
  );
  expect(events.map(({ data }) => data)).toContainEqual(
    expect.objectContaining({ domain: 'shop.example', status: 'fail', title: expect.any(String) }),
  );
  // Told after the look was stored, which is what the request waits for.
  await until(() => stack.relay.process.output.includes('Mail alert: domain-fails: shop.example'), {
    what: 'the alert',
  });
  const metrics = await (await fetch(`${stack.relay.healthUrl}/metrics`)).text();
  expect(metrics).toMatch(/postern_sender_domain_fails\{domain="shop\.example"[^}]*\} 1/);
}, 120_000);

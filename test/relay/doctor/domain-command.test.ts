// `npm run doctor -- --domain`, as an operator types it.
import { expect, test } from 'vitest';
import { startDns } from '../../kit/dns-server.ts';
import { runDoctor } from './patient.ts';

const zones = `
  example.com NS dns1.registrar-servers.com
  example.com MX 10 mx1.privateemail.com
  example.com TXT "v=spf1 include:_spf.example.net ~all"
  _spf.example.net TXT "v=spf1 ip4:192.0.2.0/24 ~all"
  other.example NS ns.other.example
`;

test('names what is wrong with each sending domain, and the record to publish', async () => {
  await using dns = await startDns(zones);
  const environment = {
    DNS_RESOLVERS: dns.address,
    SMTP_HOST: 'mail.privateemail.com',
    SMTP_USER: 'shop@example.com',
    SMTP_PASSWORD: 'invented for this test',
    SMTP_FROM_EMAIL: 'shop@example.com',
    SMTP_ALLOWED_SENDERS: 'shop@example.com,*@other.example',
  };
  const { code, output } = await runDoctor(environment, ['--domain']);
  expect(code).toBe(1);
  expect(output).toContain('example.com: something is wrong');
  expect(output).toContain(
    'Name @   Type TXT   Value v=spf1 include:_spf.example.net include:spf.privateemail.com ~all',
  );
  expect(output).toContain('Name _dmarc   Type TXT   Value v=DMARC1; p=none; rua=mailto:dmarc@example.com');
  expect(output).toContain('(dkim-missing)');
  expect(output).toContain('other.example: something is wrong');
  expect(output).not.toContain('invented for this test');

  const json = await runDoctor(environment, ['--domain', '--json', 'example.com']);
  const { ok, domains } = JSON.parse(json.output);
  expect([ok, domains.map(({ domain }: { domain: string }) => domain)]).toEqual([false, ['example.com']]);
});

test('without a sender it says what to set', async () => {
  const { code, output } = await runDoctor({}, ['--domain']);
  expect([code, output]).toEqual([1, expect.stringContaining('Set SMTP_FROM_EMAIL')]);
});

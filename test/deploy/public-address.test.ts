// Which addresses may be spoken to when somebody else chose the name.
import { expect, test } from 'vitest';
import { embeddedIpv4, openAddressPolicy } from '../../deploy/public-address.ts';

const strict = openAddressPolicy([]);

test.each([
  '127.0.0.1',
  '127.8.8.8',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '100.100.100.200',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  'fc00::1',
  'ff02::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2001::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:a9fe:a9fe',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::1',
  '::127.0.0.1',
  'example.com',
  '',
])('%s is refused', (address) => {
  expect(strict.faultOf(address)).toBeDefined();
});

test.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::1.1.1.1'])(
  '%s is public',
  (address) => {
    expect(strict.faultOf(address)).toBeUndefined();
    expect(strict.isPermitted(address)).toBe(false);
  },
);

test('what the operator names is permitted, in all its spellings, and nothing beside it', () => {
  const policy = openAddressPolicy(['10.1.0.0/16', '127.0.0.1', 'fd12::/32']);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::a01:203', '127.0.0.1', 'fd12::5'])
    expect([address, policy.faultOf(address), policy.isPermitted(address)]).toEqual([
      address,
      undefined,
      true,
    ]);
  for (const address of ['10.2.0.1', '127.0.0.2', 'fd13::5', '::1', '169.254.169.254'])
    expect([address, policy.faultOf(address)]).toEqual([
      address,
      expect.stringContaining('WEBHOOK_ALLOW_PRIVATE'),
    ]);
});

test('only mapped and NAT64 addresses have another inside', () => {
  expect(embeddedIpv4('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(embeddedIpv4('64:ff9b::c000:201')).toBe('192.0.2.1');
  expect(embeddedIpv4('2001:db8::192.0.2.1')).toBeUndefined();
  expect(embeddedIpv4('192.0.2.1')).toBeUndefined();
});

import { describe, expect, test } from 'vitest';
import type { Examination } from '../../../relay/doctor/examination.ts';
import { type Network, networkObstacle, openNetwork } from './network.ts';
import { expectNoSecret, password, runDoctor, type Variables } from './patient.ts';

const obstacle = await networkObstacle();
if (obstacle) console.info(`Skipping the doctor's tests with networks of their own: ${obstacle}`);

async function examineIn({ environment, prefix }: Network, more: Variables = {}): Promise<Examination> {
  const { output } = await runDoctor({ ...environment, ...more }, ['--json'], { prefix });
  expectNoSecret(output);
  return JSON.parse(output) as Examination;
}

const causeOf = ({ ok, diagnosis }: Examination) => ({
  ok,
  stage: diagnosis?.stage,
  cause: diagnosis?.cause,
  first: diagnosis?.variables[0],
});

describe.skipIf(obstacle !== undefined)('in a network of its own', () => {
  test('465 and 587 of a provider with a name: mail can leave in less than two seconds', async () => {
    await using network = await openNetwork(password);
    const examination = await examineIn(network);
    expect(examination).toMatchObject({ ok: true, route: 'smtp-465', controls: [] });
    expect(examination.ms).toBeLessThan(2_000);
    expect(examination.walks[0]?.steps[0]).toMatchObject({
      stage: 'dns',
      outcome: 'passed',
      says: '192.0.2.10',
    });
  });

  test('packets to 465 are dropped: mail leaves by 587, and that is mentioned', async () => {
    await using network = await openNetwork(password);
    await network.drop('-p tcp --dport 465');
    const examination = await examineIn(network);
    expect(examination).toMatchObject({ ok: true, route: 'smtp-587' });
    expect(examination.notes.join()).toMatch(
      /smtp-465 does not work \(cloud-port-block at tcp: Connection timeout\)/,
    );
    expect(examination.signIns).toMatchObject([{ attempts: 1 }]);
    expect(examination.ms).toBeLessThan(15_000);
  });

  test('packets to all SMTP ports are dropped: the platform blocks SMTP', async () => {
    await using network = await openNetwork(password);
    await network.drop('-p tcp -m multiport --dports 25,465,587');
    const examination = await examineIn(network);
    expect(causeOf(examination)).toEqual({
      ok: false,
      stage: 'tcp',
      cause: 'cloud-port-block',
      first: 'SMTP_HOST',
    });
    expect(examination.diagnosis?.because).toBe(
      'smtp.gmail.com on 465 and 587 cannot be reached either, while www.google.com on 443 answers: this platform blocks outgoing SMTP.',
    );
    expect(examination.ms).toBeLessThan(15_000);
  });

  test('packets to the provider alone are dropped: the provider is away', async () => {
    await using network = await openNetwork(password);
    await network.drop('-d 192.0.2.10');
    expect(causeOf(await examineIn(network))).toEqual({
      ok: false,
      stage: 'tcp',
      cause: 'provider-unreachable',
      first: 'SMTP_HOST',
    });
  });

  test('all packets are dropped: there is no network, and it is said in less than 15 seconds', async () => {
    await using network = await openNetwork(password);
    await network.drop('-p tcp');
    const examination = await examineIn(network);
    expect(causeOf(examination)).toMatchObject({ ok: false, stage: 'tcp', cause: 'network' });
    expect(examination.ms).toBeLessThan(15_000);
  });

  test('a name that does not exist', async () => {
    await using network = await openNetwork(password);
    const examination = await examineIn(network, { SMTP_HOST: 'mial.test' });
    expect(causeOf(examination)).toEqual({
      ok: false,
      stage: 'dns',
      cause: 'dns-not-found',
      first: 'SMTP_HOST',
    });
    expect(examination.diagnosis?.because).toContain('www.google.com is found from here');
  });

  test('a name server that does not answer, and the command ends all the same', async () => {
    await using network = await openNetwork(password);
    await network.drop('-p udp --dport 53');
    const startedAt = performance.now();
    const examination = await examineIn(network, { SMTP_HOST: 'mail-of-nobody.test' });
    expect(causeOf(examination)).toMatchObject({ ok: false, stage: 'dns', cause: 'dns-temporary' });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  test('a host with an IPv6 address only, and no IPv6 here', async () => {
    await using network = await openNetwork(password);
    expect(causeOf(await examineIn(network, { SMTP_HOST: 'six.test' }))).toEqual({
      ok: false,
      stage: 'tcp',
      cause: 'ipv6',
      first: 'SMTP_HOST',
    });
  });

  test('a host with both: IPv4 carries, and the broken IPv6 is mentioned', async () => {
    await using network = await openNetwork(password);
    const examination = await examineIn(network, { SMTP_HOST: 'both.test' });
    expect(examination).toMatchObject({ ok: true, route: 'smtp-465' });
    expect(examination.notes.join()).toMatch(/smtp-465 cannot be reached over IPv6/);
  });
});

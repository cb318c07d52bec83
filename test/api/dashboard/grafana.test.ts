// The Grafana dashboard and the alert rules only ask for metrics that a running Postern really tells.
import { readFileSync } from 'node:fs';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createAuthority } from '../../kit/certificate.ts';
import { startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';

const folder = join(import.meta.dirname, '../../../deploy/grafana');
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

type Dashboard = { panels: { title: string; targets: { expr: string }[] }[] };
type Rules = {
  groups: { rules: { alert: string; expr: string; for: string; annotations: Record<string, string> }[] }[];
};
const { panels } = JSON.parse(read('dashboard.json')) as Dashboard;
const { groups } = parse(read('alerts.yml')) as Rules;
const rules = groups.flatMap((group) => group.rules);

test('every metric and label that is asked for is told by a running process', {
  timeout: 60_000,
}, async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-certificate-'));
  const [certFile, keyFile] = ['cert.pem', 'key.pem'].map((name) => join(folder.path, name)) as [
    string,
    string,
  ];
  const { cert, key } = await (await createAuthority()).issue();
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  await using stack = await startStack({
    relay: {
      RELAY_TLS_CERT_FILE: certFile,
      RELAY_TLS_KEY_FILE: keyFile,
      // Nobody listens there: a mailbox that cannot be read is told, too.
      BOUNCE_IMAP_HOST: '127.0.0.1',
      BOUNCE_IMAP_PORT: '1',
    },
  });
  // Two test mails of the last days.
  await stack.database.query(
    `insert into canary (token, domain, sender, recipient, queue_id, queued_at)
     select n, 'example.com', 'a@example.com', 'a@example.com', n, now() - make_interval(hours => n)
     from generate_series(1, 2) n`,
  );
  await stack.api.post('/api/v1/emails', {
    to: 'ann@example.com',
    subject: 'Due in a moment',
    text: 'Hello',
    scheduled_datetime: new Date(Date.now() + 500).toISOString(),
  });
  await until(() => stack.provider.messages.length);
  // A fault, so that there is an alert to be counted.
  stack.provider.on('mail', '553 5.7.1 Sender address rejected: not owned by user');
  await stack.api.post('/api/v1/emails', { to: 'ann@example.com', subject: 'Refused', text: 'Hello' });
  await until(async () => {
    const text = await (await fetch(`${stack.relay.healthUrl}/metrics`)).text();
    return ['postern_delivery_alerts_total{', 'postern_bounce_mailbox_read{'].every((name) =>
      text.includes(name),
    );
  });

  const texts = await Promise.all([
    stack.api.get('/metrics').then(({ body }) => String(body)),
    ...[stack.relay, stack.worker].map(async ({ healthUrl }) => (await fetch(`${healthUrl}/metrics`)).text()),
  ]);
  // By name, the labels that its samples have.
  const told = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of texts.join('\n').matchAll(/^(postern_\w+)(?:\{(.*)\})? /gm)) {
    const known = told.get(name) ?? new Set(['instance', 'job', 'process']);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    told.set(name, known);
  }

  const asked = [
    ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ who: title, expr }))),
    ...rules.map(({ alert, expr }) => ({ who: alert, expr })),
  ];
  expect(asked.length).toBeGreaterThan(10);
  for (const { who, expr } of asked) {
    const names = [...expr.matchAll(/postern_\w+/g)].map(([name]) => name);
    expect(names, who).not.toEqual([]);
    for (const name of names) {
      expect([...told.keys()], `${who} asks for ${name}`).toContain(name);
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
      const chosen = [...expr.matchAll(/(\w+)(?:=~?|!=)"/g)].map(([, label = '']) => label);
      for (const label of [...grouped, ...chosen])
        expect([...(told.get(name) ?? [])], `${who} asks ${name} for ${label}`).toContain(label);
    }
  }
});

test('every alert waits before it wakes somebody, and says what to look at', () => {
  for (const rule of rules) {
    expect(rule.for, rule.alert).toMatch(/^\d+m$/);
    expect(rule.annotations.summary, rule.alert).toBeTruthy();
    expect(rule.annotations.description, rule.alert).toMatch(/\.$/);
  }
});

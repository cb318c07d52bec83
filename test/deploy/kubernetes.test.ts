import { execFile } from 'node:child_process';
import { cp, glob, mkdtempDisposable, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { variableTable } from '../../deploy/variables.ts';
import { faultsOf } from '../kit/manifests.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes');
const read = (...path: string[]) => readFile(join(folder, ...path), 'utf8');

// biome-ignore lint/suspicious/noExplicitAny: manifests are as deep as they are wide
type Manifest = any;

async function readManifests(): Promise<{ file: string; manifest: Manifest }[]> {
  const found = [];
  for await (const file of glob('**/*.yaml', { cwd: folder })) {
    // The values of a Helm chart and what kustomize reads are no part of the API.
    if (file.endsWith('.values.yaml') || file.endsWith('kustomization.yaml')) continue;
    found.push(...parseAll(await read(file)).map((manifest) => ({ file, manifest })));
  }
  return found;
}

function parseAll(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  return documents.map((each) => each.toJS());
}

const manifests = await readManifests();
const named = manifests.map(({ file, manifest }) => ({
  of: `${manifest.kind} ${manifest.metadata.name} of ${file}`,
  manifest,
}));
const all = (kind: string): Manifest[] =>
  manifests.flatMap(({ manifest }) => (manifest.kind === kind ? [manifest] : []));

describe('against the schemas of the Kubernetes API', () => {
  test.each(named)('$of', ({ manifest }) => {
    expect(faultsOf(manifest)).toEqual([]);
  });

  const changed = (change: (copy: Manifest) => void) => {
    const copy = structuredClone(all('Deployment')[0]);
    change(copy);
    return faultsOf(copy);
  };

  test('a field that is written wrongly is found', () => {
    const faults = changed(({ spec: { template } }) => {
      template.spec.topologySpreadConstraint = [];
    });
    expect(faults).toEqual([
      '/spec/template/spec/topologySpreadConstraint is no field of apps/v1 Deployment',
    ]);
  });

  test('a value of another type is found', () => {
    const faults = changed(({ spec }) => {
      spec.replicas = '2';
    });
    expect(faults).toEqual(['data/spec/replicas must be integer']);
  });

  test('a field that is missing is found', () => {
    const faults = changed(({ spec }) => {
      delete spec.selector;
    });
    expect(faults).toEqual(['data/spec must have required property selector']);
  });
});

describe('what no schema knows', () => {
  test.each(all('Deployment').map((manifest) => ({ name: manifest.metadata.name, manifest })))(
    '$name is selected by its own labels, spread by them, and has a budget for disruptions',
    ({ manifest: { spec } }) => {
      const labels = spec.template.metadata.labels;
      expect(labels).toEqual(spec.selector.matchLabels);
      for (const { labelSelector } of spec.template.spec.topologySpreadConstraints) {
        expect(labelSelector.matchLabels).toEqual(labels);
      }
      const budgets = all('PodDisruptionBudget').filter(
        (each) => each.spec.selector.matchLabels.app === labels.app,
      );
      expect(budgets).toHaveLength(1);
      // A budget that asks for all of them would stop every drain of a node.
      expect(budgets[0].spec.minAvailable).toBeLessThan(spec.replicas);
      // A pod that is not ready must not stop it either: none is while PostgreSQL is away.
      expect(budgets[0].spec.unhealthyPodEvictionPolicy).toBe('AlwaysAllow');
    },
  );

  test.each(all('Deployment').map((manifest) => ({ name: manifest.metadata.name, manifest })))(
    '$name may take the 25 s that a process needs to stop',
    ({ manifest: { spec } }) => {
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(25);
    },
  );
});

describe('the component autoscaling', async () => {
  const [autoscaler] = all('HorizontalPodAutoscaler');
  const [metric] = autoscaler.spec.metrics;
  const [rule] = parse(await read('autoscaling', 'prometheus-adapter.values.yaml')).rules.external;

  test('scales a Deployment that is there, and never to fewer than without it', () => {
    const { kind, name } = autoscaler.spec.scaleTargetRef;
    const target = all(kind).find(({ metadata }) => metadata.name === name);
    expect(autoscaler.spec.minReplicas).toBeGreaterThanOrEqual(target.spec.replicas);
  });

  test('asks for a metric that the adapter offers and the relay measures, with a status it counts', async () => {
    const measures = await readFile(join(folder, '..', '..', 'relay', 'measures.ts'), 'utf8');
    const { name, selector } = metric.external.metric;
    expect(rule.name.as).toBe(name);
    expect(rule.seriesQuery).toContain(`${name}{`);
    expect(measures).toContain(`name: '${name}'`);
    const [, counted = ''] = /'\{([a-z,]+)\}'::mail_status/.exec(measures) ?? [];
    expect(counted.split(',')).toContain(selector.matchLabels.status);
  });
});

describe('the component cloudnative-pg', async () => {
  const [cluster] = all('Cluster');
  const { patches } = parse(await read('cloudnative-pg', 'kustomization.yaml'));
  const { database, owner } = cluster.spec.bootstrap.initdb;

  test('commits on a standby as well, and goes on when it loses any one instance', () => {
    const { number, dataDurability } = cluster.spec.postgresql.synchronous;
    expect(number).toBeGreaterThanOrEqual(1);
    expect(dataDurability).toBe('required');
    expect(cluster.spec.instances - 1).toBeGreaterThan(number);
  });

  test('gives migrate the owner, who may create roles, from the secret that the operator makes', () => {
    const [{ value }] = parse(patches[0].patch);
    for (const { name, valueFrom } of value) {
      expect(variableTable[name]?.readBy).toContain('migrate');
      expect(valueFrom.secretKeyRef).toEqual({ name: `${cluster.metadata.name}-app`, key: 'uri' });
    }
    expect(cluster.spec.managed.roles).toContainEqual(
      expect.objectContaining({ name: owner, login: true, createrole: true }),
    );
  });

  test('has the database that the addresses of the processes name', async () => {
    for (const process of ['api', 'relay', 'worker']) {
      expect(await read(`database-${process}.env.example`)).toContain(`:5432/${database}`);
    }
  });
});

/** `kubectl kustomize` needs no cluster. */
const hasKubectl = await run('kubectl', ['kustomize', '--help']).then(
  () => true,
  () => false,
);
if (!hasKubectl) console.warn('Skipped what kustomize makes of the manifests: there is no kubectl.');

describe.skipIf(!hasKubectl)('what kustomize makes of them', () => {
  async function render(components: readonly string[]): Promise<Manifest[]> {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'postern-kustomize-'));
    await cp(folder, scratch.path, { recursive: true });
    for await (const file of glob('*.env.example', { cwd: scratch.path })) {
      await rename(join(scratch.path, file), join(scratch.path, file.replace('.example', '')));
    }
    const kustomization = join(scratch.path, 'kustomization.yaml');
    const switchedOn = components.reduce(
      (text, component) =>
        text.replace('# components:', 'components:').replace(`#   - ${component}\n`, `  - ${component}\n`),
      await readFile(kustomization, 'utf8'),
    );
    await writeFile(kustomization, switchedOn);
    return parseAll((await run('kubectl', ['kustomize', scratch.path])).stdout);
  }

  test.each([
    { components: [] },
    { components: ['autoscaling'] },
    { components: ['cloudnative-pg'] },
    { components: ['cloudnative-pg', 'autoscaling'] },
  ])('is in order with the components $components', async ({ components }) => {
    const made = await render(components);
    // Secrets are kustomize's own: it breaks long base64 into lines, which Kubernetes reads and the schema does not.
    expect(made.filter(({ kind }) => kind !== 'Secret').flatMap(faultsOf)).toEqual([]);

    const kinds = made.map(({ kind }) => kind);
    expect(kinds.includes('Cluster')).toBe(components.includes('cloudnative-pg'));
    expect(kinds.includes('HorizontalPodAutoscaler')).toBe(components.includes('autoscaling'));

    const relay = made.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'relay');
    expect('replicas' in relay.spec).toBe(!components.includes('autoscaling'));
    const [migrate] = made.find(({ kind }) => kind === 'Job').spec.template.spec.containers;
    expect(migrate.env?.[0].name).toBe(components.includes('cloudnative-pg') ? 'DATABASE_URL' : undefined);
  });
});

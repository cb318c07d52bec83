import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { faultsOf } from '../kit/manifests.ts';

const folder = join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes');

// biome-ignore lint/suspicious/noExplicitAny: manifests are as deep as they are wide
type Manifest = any;

async function readManifests(): Promise<{ file: string; manifest: Manifest }[]> {
  const read = [];
  for await (const file of glob('**/*.yaml', { cwd: folder })) {
    const documents = parseAllDocuments(await readFile(join(folder, file), 'utf8'), { uniqueKeys: true });
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    read.push(...documents.map((each) => ({ file, manifest: each.toJS() })));
  }
  // Those of kustomize are no part of the API; platforms.test.ts reads them.
  return read.filter(({ manifest }) => !manifest.apiVersion?.startsWith('kustomize.config.k8s.io/'));
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
    },
  );

  test.each(all('Deployment').map((manifest) => ({ name: manifest.metadata.name, manifest })))(
    '$name may take the 25 s that a process needs to stop',
    ({ manifest: { spec } }) => {
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(25);
    },
  );
});

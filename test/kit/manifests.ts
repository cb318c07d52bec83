// Kubernetes manifests held against the schemas of the API, as strictly as `kubectl apply --validate=strict` does it:
// a field that no schema knows is a fault as well, because a cluster would drop it silently or refuse the file.
import { Cluster } from '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1/Cluster';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Service } from 'kubernetes-models/v1/Service';

const schemas: Readonly<Record<string, { prototype: { validate(): void } }>> = {
  'v1 ConfigMap': ConfigMap,
  'v1 Namespace': Namespace,
  'v1 Service': Service,
  'apps/v1 Deployment': Deployment,
  'autoscaling/v2 HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'batch/v1 Job': Job,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'postgresql.cnpg.io/v1 Cluster': Cluster,
};

/** Sentences about what is wrong with a manifest, with the path of each field. */
export function faultsOf(manifest: { apiVersion: string; kind: string }): string[] {
  const name = `${manifest.apiVersion} ${manifest.kind}`;
  const schema = schemas[name];
  if (!schema) return [`${name} has no schema here`];
  const looks = new Looks();
  try {
    // On the manifest itself: making a model of it would read fields that are none.
    schema.prototype.validate.call(looks.watch(manifest, ''));
  } catch (error) {
    return [(error as Error).message];
  }
  return looks.neverLookedAt(manifest, '').map((path) => `${path} is no field of ${name}`);
}

/** A validator reads every field that its schema has and no other: what it never read is not in the schema. */
class Looks {
  readonly #seen = new Set<string>();

  watch(value: unknown, path: string): unknown {
    if (typeof value !== 'object' || value === null) return value;
    return new Proxy(value, {
      get: (target, key, receiver) => {
        const inner = Reflect.get(target, key, receiver);
        if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return inner;
        this.#seen.add(`${path}/${key}`);
        return this.watch(inner, `${path}/${key}`);
      },
    });
  }

  neverLookedAt(value: unknown, path: string): string[] {
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => {
      const at = `${path}/${key}`;
      return this.#seen.has(at) ? this.neverLookedAt(inner, at) : [at];
    });
  }
}

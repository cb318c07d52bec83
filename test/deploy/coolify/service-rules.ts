// Rules R12 to R14, R22 and R30 to R43: what the services of a template may say, and what Coolify ignores or breaks.
import type { Fault, Service, Template } from './template.ts';
import { textsIn } from './template.ts';

/** @param version the release that the template is of */
export function checkServices(template: Template, version: string): Fault[] {
  const { services, top } = template;
  const faults = services.flatMap((service) => [
    ...checkName(service),
    ...checkHosts(service, services),
    ...checkIgnored(service),
    ...checkImage(service, version),
    ...checkHealth(service),
    ...checkVolumes(service),
    ...checkOrder(service, services),
    ...checkDollars(service),
    ...checkHardening(service),
  ]);
  if (services.length === 0) faults.push({ rule: 'services', problem: 'there are no services' });
  for (const key of Object.keys(top)) {
    if (key !== 'services' && key !== 'volumes')
      faults.push({ rule: 'top-level', problem: `Coolify drops ${key}` });
  }
  return faults;
}

/**
 * postern- and one word. A name is a host name on every network the stack joins, and Coolify's own database is called
 * postgres on the network that all resources can join; more than one - or a _ has broken domains and proxy rules.
 */
function checkName({ name }: Service): Fault[] {
  return /^postern-[a-z][a-z0-9]*$/.test(name)
    ? []
    : [
        {
          rule: 'service-name',
          problem: `"${name}" is no name of ours alone: another stack on the same network can have it`,
        },
      ];
}

/** A host that is addressed by a name which is no service of this stack would be somebody else's. */
function checkHosts({ name, environment }: Service, services: readonly Service[]): Fault[] {
  const hosts = Object.entries(environment).flatMap(([key, value]) => {
    if (/_HOST$/.test(key) && value && !value.includes('$')) return [value];
    const [, host] = /:\/\/[^/\s]*@([a-z0-9.-]+)/.exec(value ?? '') ?? [];
    return host ? [host] : [];
  });
  return hosts
    .filter((host) => !services.some((each) => each.name === host))
    .map((host) => ({
      rule: 'service-host',
      problem: `${name} asks ${host}, which is no service of this stack`,
    }));
}

const ignored: Readonly<Record<string, string>> = {
  container_name: 'is overwritten',
  networks: 'breaks the route from the proxy',
  network_mode: 'keeps the service out of the network',
  profiles: 'keeps the service from ever starting',
  env_file: 'has no file to read there',
  build: 'has no source to build from there',
  extends: 'is never seen',
  secrets: 'has no files there',
  configs: 'has no files there',
  ports: 'goes past the proxy and the firewall',
};

function checkIgnored({ name, written }: Service): Fault[] {
  return Object.entries(ignored)
    .filter(([key]) => key in written)
    .map(([key, effect]) => ({ rule: `no-${key}`, problem: `${name}: ${key} ${effect}` }));
}

function checkImage({ name, written, isOurs }: Service, version: string): Fault[] {
  const image = String(written.image ?? '');
  const [, tag] = /^[^:]+:([^:@]+)(?:@sha256:[0-9a-f]{64})?$/.exec(image) ?? [];
  if (!tag || tag === 'latest') return [{ rule: 'image', problem: `${name}: "${image}" is not one release` }];
  if (isOurs && tag !== version) {
    return [{ rule: 'image-version', problem: `${name}: ${image} is not this release, ${version}` }];
  }
  return [];
}

/** Traefik does not lead to an unhealthy container: a check with a program that is not there takes the site down. */
function checkHealth({ name, written, isOurs, isOneShot }: Service): Fault[] {
  if (isOneShot) return [];
  if (typeof written.restart === 'string' && written.restart !== 'unless-stopped') {
    return [{ rule: 'restart', problem: `${name}: restart ${written.restart} is neither for good nor once` }];
  }
  const check = written.healthcheck as { test?: unknown } | undefined;
  if (!check?.test) return [{ rule: 'healthcheck', problem: `${name} has no health check` }];
  const program = textsIn(check.test)
    .flatMap((text) => text.split(/\s+/))
    .find((word) => word !== 'CMD' && word !== 'CMD-SHELL');
  const available = isOurs ? ['bash', 'node'] : ['pg_isready'];
  if (available.includes(program ?? '')) return [];
  return [{ rule: 'healthcheck-program', problem: `${name}: there is no ${program} in its image` }];
}

function checkVolumes({ name, written }: Service): Fault[] {
  const faults: Fault[] = [];
  for (const volume of (written.volumes ?? []) as unknown[]) {
    const [source = '', target = ''] = typeof volume === 'string' ? volume.split(':') : [];
    if (/[`|&;<>\s]|\$[({]/.test(source + target)) {
      faults.push({ rule: 'volume-name', problem: `${name}: Coolify refuses ${source}:${target}` });
    } else if (/^[./~]/.test(source)) {
      faults.push({ rule: 'volume-bind', problem: `${name}: ${source} does not exist on the server` });
    }
    const major = Number(/^postgres:(\d+)/.exec(String(written.image))?.[1]);
    const home = major >= 18 ? '/var/lib/postgresql' : '/var/lib/postgresql/data';
    if (major && target !== home) {
      faults.push({
        rule: 'volume-postgres',
        problem: `${name}: PostgreSQL ${major} keeps its data in ${home}`,
      });
    }
  }
  return faults;
}

/** Whoever needs the migrations waits for their end, and nobody waits for a service that is not there. */
function checkOrder({ name, written, isOurs, isOneShot }: Service, services: readonly Service[]): Fault[] {
  const faults: Fault[] = [];
  const order = (written.depends_on ?? {}) as Record<string, { condition?: string }>;
  for (const [other, { condition }] of Object.entries(order)) {
    const found = services.find((each) => each.name === other);
    const wanted = found?.isOneShot ? 'service_completed_successfully' : 'service_healthy';
    if (!found) faults.push({ rule: 'order', problem: `${name} waits for ${other}, which is not there` });
    else if (condition !== wanted) {
      faults.push({ rule: 'order', problem: `${name} waits for ${other} to be ${condition}, not ${wanted}` });
    }
  }
  const oneShots = services.filter((each) => each.isOneShot).map((each) => each.name);
  if (isOurs && !isOneShot && !oneShots.some((each) => each in order)) {
    faults.push({ rule: 'order', problem: `${name} does not wait for the migrations` });
  }
  return faults;
}

/** Compose reads the deployed file: a dollar for a shell in the container is written twice. */
function checkDollars({ name, written }: Service): Fault[] {
  const { environment: _, ...others } = written;
  return textsIn(others)
    .filter((text) => /(?<!\$)(?:\$\$)*\$[A-Za-z_{]/.test(text))
    .map((text) => ({ rule: 'dollar', problem: `${name}: Compose replaces the variable in ${text}` }));
}

function checkHardening({ name, written, isOurs, isOneShot }: Service): Fault[] {
  if (!isOurs) return [];
  const faults: Fault[] = [];
  const complain = (problem: string) => faults.push({ rule: 'hardening', problem: `${name}: ${problem}` });
  if (written.read_only !== true) complain('its root is writable');
  if (!textsIn(written.cap_drop).includes('ALL')) complain('it keeps capabilities');
  if (!textsIn(written.security_opt).includes('no-new-privileges:true')) complain('it may gain privileges');
  // The button Stop gives 30 s, whatever the file says; we stop within 25.
  if (!isOneShot && written.stop_grace_period !== '30s') complain('it is not given 30 s to stop');
  return faults;
}

// Rules R15 to R29 and the environment contract: which variable reaches whom, and that none of them is mangled,
// forgotten or replaced on the way.
import { spellings } from '../../../deploy/reading.ts';
import { type Reader, type Variable, variableTable } from '../../../deploy/variables.ts';
import { generatorOf, isAddress, leadingReference, mentioned } from './references.ts';
import { type Fault, type Service, type Template, textsIn } from './template.ts';

const contract = new Map<string, { name: string; variable: Variable }>(
  Object.entries(variableTable).flatMap(([name, variable]) =>
    spellings(name, variable).map(({ setAs }) => [setAs, { name, variable }] as const),
  ),
);

/** The guard's keys differ from the names they require, or Coolify would take the `:?` out of the file. */
const guardPrefix = 'REQUIRED_';

export function checkEnvironment(template: Template): Fault[] {
  return [
    ...template.services.flatMap((service) => [
      ...checkKeys(service),
      ...checkReferences(service),
      ...checkMagic(service, template),
      ...checkContract(service),
    ]),
    ...checkDiscovery(template),
    ...checkGuard(template),
  ];
}

function checkKeys({ name: service, environment }: Service): Fault[] {
  return Object.keys(environment)
    .filter((key) => !/^[A-Za-z_][A-Za-z0-9_.]*$/.test(key) || key.length > 255)
    .map((key) => ({ rule: 'env-key', problem: `${service}: Coolify refuses the name "${key}"` }));
}

function checkReferences({ name: service, environment }: Service): Fault[] {
  const faults: Fault[] = [];
  for (const [key, value] of Object.entries(environment)) {
    const complain = (rule: string, problem: string) =>
      faults.push({ rule, problem: `${service}.${key}: ${problem}` });
    if (/\$\{\w*:?\+/.test(value ?? '') || /\$\{\w+:\}/.test(value ?? '')) {
      complain('env-operator', `Coolify knows only :- - :? and ?, not ${value}`);
      continue;
    }
    if (value?.startsWith('SERVICE_'))
      complain('env-hidden', 'a value that begins with SERVICE_ is never shown');
    const reference = leadingReference(value ?? '');
    if (!reference) continue;
    const { name, operator, rest } = reference;
    if (operator?.endsWith('?') && rest !== '') {
      complain('env-required-text', `"${rest}" would become the value of ${name}`);
    }
    // `K=${K:-x}` and `K=${K:?}` are replaced by the value itself, and Compose takes its dollars for variables.
    if (name === key && operator && contract.get(name)?.variable.secret && !rest.startsWith('${SERVICE_')) {
      complain('env-secret-inlined', 'a secret with a default or :? loses its dollars; write it plain');
    }
  }
  return faults;
}

function checkMagic({ name: service, environment }: Service, { services }: Template): Fault[] {
  const faults: Fault[] = [];
  const complain = (rule: string, problem: string) =>
    faults.push({ rule, problem: `${service}: ${problem}` });
  for (const [key, value] of Object.entries(environment)) {
    for (const name of mentioned(value ?? '').filter((each) => each.startsWith('SERVICE_'))) {
      if (isAddress(name)) continue;
      const generator = generatorOf(name);
      if (!generator) complain('magic-unknown', `Coolify has no generator for ${name} and leaves it empty`);
      if (generator?.includes('WITHSYMBOLS')) complain('magic-symbols', `${name} may hold $ and quotes`);
      if (generator?.startsWith('REALBASE64') && /:\/\//.test(value ?? '')) {
        complain('magic-in-url', `${name} may hold + / = and stands in an address`);
      }
    }
    if (!isAddress(key)) continue;
    const [, owner, port] = /^SERVICE_(?:URL|FQDN)_(.+?)(?:_(\d+))?$/.exec(key) ?? [];
    if (owner !== service.toUpperCase().replaceAll(/[-.]/g, '_')) {
      complain('magic-domain', `${key} belongs to the service that serves it`);
    }
    if (!port) complain('magic-domain', `${key} names no port, so the proxy cannot know it`);
  }
  const domains = services.flatMap((each) => Object.keys(each.environment).filter(isAddress));
  if (services[0]?.name === service && domains.length !== 1) {
    complain('magic-domain', `the stack has ${domains.length} domains, not one`);
  }
  return faults;
}

/** A variable has a line on the page only if some value begins with it; everything else is blank for ever. */
function checkDiscovery({ services }: Template): Fault[] {
  const shown = new Set(
    services.flatMap(({ environment }) =>
      Object.values(environment).flatMap((value) => {
        const reference = leadingReference(value ?? '');
        return reference ? [reference.name, ...mentioned(reference.rest)] : [];
      }),
    ),
  );
  return services.flatMap(({ name, written }) =>
    textsIn(written)
      .flatMap(mentioned)
      .filter((each) => !each.startsWith('SERVICE_') && !shown.has(each))
      .map((each) => ({ rule: 'env-undiscovered', problem: `${name}: nobody is ever asked for ${each}` })),
  );
}

/** Every process of ours has what it cannot start without, and nothing that it does not read. */
function checkContract({ name: service, environment, isOurs }: Service): Fault[] {
  if (!isOurs) return [];
  const faults: Fault[] = [];
  const reader = service.replace('postern-', '') as Reader;
  for (const key of Object.keys(environment)) {
    if (isAddress(key) || key.startsWith(guardPrefix)) continue;
    const entry = contract.get(key);
    if (!entry) faults.push({ rule: 'contract-unknown', problem: `${service} reads no ${key}` });
    else if (!entry.variable.readBy.includes(reader)) {
      faults.push({ rule: 'contract-foreign', problem: `${key} is not for ${service}` });
    }
  }
  for (const [name, variable] of Object.entries(variableTable)) {
    if (!variable.required || !variable.readBy.includes(reader)) continue;
    if (!spellings(name, variable).some(({ setAs }) => setAs in environment)) {
      faults.push({ rule: 'contract-missing', problem: `${service} is not given ${name}` });
    }
  }
  return faults;
}

/**
 * Only rows that are created as required are required, and the first mention in the file creates them. A secret may be
 * given in base64 instead, which no page of Coolify can ask for: the relay itself holds mail and says so.
 */
function checkGuard({ services }: Template): Fault[] {
  const faults: Fault[] = [];
  const complain = (problem: string) => faults.push({ rule: 'guard', problem });
  for (const [name, variable] of Object.entries(variableTable)) {
    if (variable.required !== 'provider' || variable.secret) continue;
    const first = services
      .flatMap(({ environment }) => Object.entries(environment))
      .find(([, value]) => leadingReference(value ?? '')?.name === name);
    if (!first) complain(`nobody requires ${name}`);
    else if (first[1] !== `\${${name}:?}`) complain(`the first mention of ${name} does not require it`);
    else if (first[0] === name)
      complain(`${name} is required under its own name, and Coolify takes the :? out`);
  }
  return faults;
}

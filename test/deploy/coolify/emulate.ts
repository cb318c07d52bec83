// What Coolify 4.3 makes of a Compose file and of what the operator typed: variables, a .env file, and the
// environment of every container. Written from its source (bootstrap/helpers/parsers.php serviceParser,
// Service::saveComposeConfigs, docker.php escapeEnvVariables); what Compose does with the result is compose-go's part.
import { parse } from 'yaml';
import { readDotenv } from './dotenv.ts';
import { interpolate } from './interpolation.ts';
import { generatorOf, isAddress, leadingReference, mentioned } from './references.ts';

/** What stands in the fields of the page "Environment Variables". */
export type Typed = Readonly<Record<string, { readonly value: string; readonly literal?: boolean }>>;

type Row = { value: string; isLiteral: boolean; isRequired: boolean };
type Environment = Record<string, string | null>;

export type Deployment = {
  /** One line on the page each, in the order of their discovery. */
  readonly rows: ReadonlyMap<string, Readonly<Row>>;
  /** Required and empty: as long as there is one, the page shows no Deploy button. */
  readonly blocking: readonly string[];
  /** The file beside the Compose file; every container gets all of it. */
  readonly environmentFile: string;
  /** `environment:` as it stands in the file that is deployed. */
  readonly environments: ReadonlyMap<string, Readonly<Environment>>;
};

/** Saves `template` with the operator's values, as the page "Docker Compose Empty" does. */
export function emulateCoolify(template: string, typed: Typed): Deployment {
  const written = environmentsIn(template);
  const rows = new Map<string, Row>();
  for (const name of magicNames([...written.values()])) {
    rows.set(name, { value: generatedValue(name), isLiteral: false, isRequired: false });
  }

  /** firstOrCreate: whoever comes first decides what is required; later mentions change nothing. */
  function row(name: string, fallback: string, isRequired: boolean): Row {
    const known = rows.get(name);
    if (known) return known;
    const { value = fallback, literal = false } = typed[name] ?? {};
    const made = { value: value.trim(), isLiteral: literal, isRequired };
    rows.set(name, made);
    return made;
  }

  const environments = new Map<string, Environment>();
  for (const [service, environment] of written) {
    const deployed: Environment = { ...environment };
    for (const [key, value] of Object.entries(environment)) {
      const reference = leadingReference(value ?? '');
      if (!reference || key.startsWith('SERVICE_')) continue;
      const { name, operator, rest } = reference;
      if (name.startsWith('SERVICE_')) {
        // updateOrCreate: an operator's own value is written over at every deployment.
        rows.set(key, { value: value ?? '', isLiteral: false, isRequired: false });
      } else if (operator === undefined && name === key) {
        row(name, '', false);
      } else {
        const found = row(name, rest, operator?.endsWith('?') ?? false);
        for (const inner of mentioned(rest)) if (!inner.startsWith('SERVICE_')) row(inner, '', false);
        // The value itself is written into the file, as it is: Compose will look for dollars in it.
        deployed[name] = found.value;
      }
    }
    for (const key of Object.keys(deployed)) if (key.startsWith('SERVICE_FQDN_')) delete deployed[key];
    environments.set(service, deployed);
  }
  // What the operator added by hand, for no service in particular.
  for (const name of Object.keys(typed)) row(name, '', false);

  return {
    rows,
    blocking: [...rows]
      .filter(([, { isRequired, value }]) => isRequired && value === '')
      .map(([name]) => name),
    environmentFile: [...rows]
      .sort(([a], [b]) => Number(b.startsWith('SERVICE_')) - Number(a.startsWith('SERVICE_')))
      .map(([name, { value, isLiteral }]) => `${name}=${isLiteral ? `'${value}'` : escaped(value)}`)
      .join('\n'),
    environments,
  };
}

/**
 * What every container receives when Compose starts the deployment.
 *
 * @throws ComposeRefusal where Compose does not start it.
 */
export function containersOf({
  environmentFile,
  environments,
}: Deployment): Map<string, Record<string, string>> {
  const file = readDotenv(environmentFile);
  const lookup = (name: string) => file.get(name);
  return new Map(
    [...environments].map(([service, environment]) => {
      const received: Record<string, string> = Object.fromEntries(file);
      for (const [key, value] of Object.entries(environment)) {
        if (value !== null) received[key] = interpolate(value, lookup);
      }
      return [service, received];
    }),
  );
}

const readBefore = new Map<string, ReadonlyMap<string, Environment>>();

/** Kept, because property tests deploy the same file thousands of times. */
function environmentsIn(template: string): ReadonlyMap<string, Environment> {
  const known = readBefore.get(template);
  if (known) return known;
  const file = parse(template, { merge: true }) as { services: Record<string, { environment?: unknown }> };
  const read = new Map(
    Object.entries(file.services).map(([name, { environment }]) => [name, environmentOf(environment)]),
  );
  readBefore.set(template, read);
  return read;
}

/** List and map form as one; `KEY` and `KEY:` without a value are null. */
export function environmentOf(written: unknown): Environment {
  if (Array.isArray(written)) {
    return Object.fromEntries(
      written.map((line: string) => {
        const at = line.indexOf('=');
        return at < 0 ? [line, null] : [line.slice(0, at), line.slice(at + 1)];
      }),
    );
  }
  return Object.fromEntries(
    Object.entries((written ?? {}) as Record<string, unknown>).map(([key, value]) => [
      key,
      value === null ? null : String(value),
    ]),
  );
}

function magicNames(environments: Environment[]): string[] {
  const names = new Set<string>();
  for (const environment of environments) {
    for (const [key, value] of Object.entries(environment)) {
      for (const name of mentioned(value ?? '')) if (name.startsWith('SERVICE_')) names.add(name);
      if (!isAddress(key)) continue;
      // One key makes both words of it, with and without the port.
      const plain = key.replace(/_\d+$/, '');
      for (const each of new Set([key, plain])) {
        names.add(each.replace('SERVICE_FQDN_', 'SERVICE_URL_'));
        names.add(each.replace('SERVICE_URL_', 'SERVICE_FQDN_'));
      }
    }
  }
  return [...names].sort();
}

function generatedValue(name: string): string {
  if (isAddress(name)) {
    const [, kind, service, port] = /^SERVICE_(URL|FQDN)_(.*?)(?:_(\d+))?$/.exec(name) ?? [];
    // parsers.php: the domain of a service whose name has a dash has it too.
    const host = `${service?.toLowerCase().replaceAll('_', '-')}.example.com`;
    return `${kind === 'URL' ? 'https://' : ''}${host}${port ? `:${port}` : ''}`;
  }
  return generatorOf(name) ? `Generated${name.replaceAll('_', '')}` : '';
}

/** docker.php, escapeEnvVariables; a whole JSON object or array is left as it is. */
function escaped(value: string): string {
  if (/^[{[]/.test(value) && isJson(value)) return value;
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll('\0', '\\0')
    .replaceAll('"', '\\"')
    .replaceAll("'", "\\'");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

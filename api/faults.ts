// What is wrong with a request's fields, all at once: the translation of zod's findings into the `errors` of a problem.
import type { z } from 'zod';
import { findCrowds, unknownField } from './crowded.ts';
import { withoutNulls } from './nulls.ts';
import { type Fault, Problem } from './problem.ts';
import { outlineOf } from './schema-outline.ts';

type Part = { in: Fault['in']; schema: z.ZodType; value: unknown };

/** Reads all parts of a request. Throws one `invalid-fields` problem that names every fault in any of them. */
export function readParts(parts: readonly Part[]): unknown[] {
  const faults: Fault[] = [];
  let unnamed = 0;
  const values = parts.map((part) => {
    const reading = readPart(part);
    if ('data' in reading) return reading.data;
    faults.push(...reading.faults);
    unnamed += reading.unnamed;
    return undefined;
  });
  if (faults.length > 0) throw invalidFields(faults, unnamed);
  return values;
}

type Reading<Data> =
  | { readonly data: Data }
  /** `unnamed` counts those that are not among `faults`. */
  | { readonly faults: readonly Fault[]; readonly unnamed: number };

/**
 * Reads one part: what it says, or its faults. What has too many entries, or very many fields that nobody knows, is
 * refused before any of them is read.
 */
export function readPart<Schema extends z.ZodType>(
  given: Part & { readonly schema: Schema },
): Reading<z.output<Schema>> {
  const { crowded, unknown, unknownCount } = findCrowds(outlineOf(given.schema), given.value, mostFaults);
  if (crowded.length > 0 || unknownCount > mostFaults) {
    const faults = [...crowded, ...unknown].map(({ path, ...rest }) => ({
      in: given.in,
      pointer: pointerTo(path),
      ...rest,
    }));
    return { faults, unnamed: unknownCount - unknown.length };
  }
  const part = given.in === 'body' ? { ...given, value: withoutNulls(given.schema, given.value) } : given;
  const result = part.schema.safeParse(part.value, { reportInput: false });
  return result.success ? { data: result.data } : { faults: faultsIn(part, result.error), unnamed: 0 };
}

function faultsIn(part: Part, error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue) => faultsOf(issue, part));
}

/** So many are named; the others are counted. */
const mostFaults = 100;

export function invalidFields(faults: readonly Fault[], unnamed = 0): Problem {
  const first = faults[0];
  const named = faults.slice(0, mostFaults);
  const all = faults.length + unnamed;
  const more = all - named.length;
  const names = named.map(nameOf).join(', ') + (more > 0 ? ` and ${more} more` : '');
  const detail =
    all === 1 && first ? `${nameOf(first)} ${first.detail}.` : `${all} fields are not valid: ${names}.`;
  return new Problem('invalid-fields', detail, { errors: named });
}

const nameOf = (fault: Fault) => (fault.pointer === '#' ? `The ${fault.in}` : fault.pointer.slice(2));

function faultsOf(issue: z.core.$ZodIssue, part: Part): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    const accepted = knownFields(part.schema, issue.path);
    return issue.keys.map((key, index) => ({
      in: part.in,
      pointer: pointerTo([...issue.path, key]),
      detail: unknownField,
      // Said once for each object: an answer must not be much longer than what it answers.
      ...(accepted && index === 0 && { accepted }),
    }));
  }
  if (issue.code === 'invalid_union') {
    // The branch whose type fits is the one that was meant; its findings say more than "none fits".
    const meant = issue.errors.find(fitsType);
    const inner = meant?.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
    if (inner) return inner.flatMap((each) => faultsOf(each as z.core.$ZodIssue, part));
  }
  const received = valueAt(part.value, issue.path);
  const accepted = acceptedBy(issue);
  return [
    {
      in: part.in,
      pointer: pointerTo(issue.path),
      detail: detailOf(issue, received),
      received: isSecret(issue.path) ? '(not repeated)' : shorten(received),
      ...(accepted !== undefined && { accepted }),
    },
  ];
}

function fitsType(branch: readonly z.core.$ZodIssue[]): boolean {
  return !branch.some(
    (issue) =>
      issue.path.length === 0 &&
      (issue.code === 'invalid_type' || (issue.code === 'invalid_union' && !issue.errors.some(fitsType))),
  );
}

function detailOf(issue: z.core.$ZodIssue, received: unknown): string {
  // Our own schemas speak in sentences that begin like this; zod's own messages do not.
  if (/^(must|is|needs|may|has|holds|begins) /.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') {
    return received === undefined ? 'is required' : `must be ${withArticle(issue.expected)}`;
  }
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
  if (issue.code === 'invalid_format') return `must be a valid ${issue.format}`;
  if (issue.code === 'invalid_union') return 'matches none of the accepted forms';
  return issue.message;
}

const unitOf = (origin: string) =>
  origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '';
const withArticle = (noun: string) => (/^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`);

function acceptedBy(issue: z.core.$ZodIssue): unknown {
  if (issue.code === 'invalid_type') return issue.expected;
  if (issue.code === 'invalid_value') return issue.values;
  if (issue.code === 'too_small') return { minimum: issue.minimum };
  if (issue.code === 'too_big') return { maximum: issue.maximum };
  if (issue.code === 'invalid_format') return issue.format;
  return undefined;
}

/** RFC 6901 sections 3 and 6. */
function pointerTo(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'));
  return ['#', ...steps.map(encodeStep)].join('/');
}

// A key of the caller's may hold half a surrogate pair, which encodeURIComponent refuses with an exception.
const encodeStep = (step: string) => encodeURIComponent(step.toWellFormed().slice(0, 100));

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, step)
        ? (inner as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );
}

const isSecret = (path: readonly PropertyKey[]) =>
  path.some((step) => /token|password|secret/i.test(String(step)));

function shorten(value: unknown): unknown {
  if (value === undefined) return null;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return value;
  const text = value.toWellFormed();
  return text.length > 100 ? `${text.slice(0, 100).toWellFormed()}… (${value.length} characters)` : text;
}

function knownFields(schema: z.ZodType, path: readonly PropertyKey[]): string[] | undefined {
  const { root, resolve } = outlineOf(schema);
  let node = resolve(root);
  for (const step of path)
    node = resolve(typeof step === 'number' ? node?.items : node?.properties?.[String(step)]);
  return node?.properties && Object.keys(node.properties);
}

// `null` in a body is the same as nothing there: our own answers say it so, and many clients cannot leave a member out.
import { z } from 'zod';

type Described = {
  $ref?: string;
  type?: string;
  $defs?: Record<string, Described>;
  properties?: Record<string, Described>;
  additionalProperties?: boolean | Described;
  items?: Described;
  anyOf?: Described[];
};

const described = new WeakMap<z.ZodType, Described>();

/**
 * The value without the members that are null, where the schema knows their names. What it does not know stays, to be
 * refused by name; so does a null in a list, or one that the schema gives a meaning.
 */
export function withoutNulls(schema: z.ZodType, value: unknown): unknown {
  if (!holdsNull(value, deepest)) return value;
  let root = described.get(schema);
  if (!root) {
    root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Described;
    described.set(schema, root);
  }
  return strip(value, [root], root);
}

// Deeper than any schema; what is deeper still is refused by one.
const deepest = 12;

function holdsNull(value: unknown, levels: number): boolean {
  if (value === null) return true;
  if (typeof value !== 'object' || levels === 0 || Buffer.isBuffer(value)) return false;
  return Object.values(value).some((each) => holdsNull(each, levels - 1));
}

function strip(value: unknown, schemas: readonly Described[], root: Described): unknown {
  if (typeof value !== 'object' || value === null || schemas.length === 0 || Buffer.isBuffer(value))
    return value;
  const shapes = schemas.flatMap((schema) => shapesOf(schema, root));
  if (Array.isArray(value)) {
    const items = shapes.flatMap(({ items }) => items ?? []);
    return value.map((each) => strip(each, items, root));
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const known = shapes.flatMap((shape) => memberOf(shape, name) ?? []);
      if (member === null) return known.length > 0 && !known.some(allowsNull(root)) ? [] : [[name, null]];
      return [[name, strip(member, known, root)]];
    }),
  );
}

/** The schema itself, or the choices it gives. */
function shapesOf(schema: Described, root: Described): Described[] {
  const found = schema.$ref === undefined ? schema : root.$defs?.[schema.$ref.replace('#/$defs/', '')];
  if (!found) return [];
  return found.anyOf ? found.anyOf.flatMap((choice) => shapesOf(choice, root)) : [found];
}

function memberOf({ properties, additionalProperties }: Described, name: string): Described | undefined {
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

const allowsNull = (root: Described) => (schema: Described) =>
  shapesOf(schema, root).some(({ type }) => type === 'null');

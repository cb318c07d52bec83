// `null` in a body is the same as nothing there: our own answers say it so, and many clients cannot leave a member out.
import type { z } from 'zod';
import { outlineOf, type SchemaNode, type SchemaOutline } from './schema-outline.ts';

/**
 * The value without the members that are null, where the schema knows their names. What it does not know stays, to be
 * refused by name; so does a null in a list, or one that the schema gives a meaning.
 */
export function withoutNulls(schema: z.ZodType, value: unknown): unknown {
  if (!holdsNull(value, deepest)) return value;
  const outline = outlineOf(schema);
  return strip(value, [outline.root], outline);
}

// Deeper than any schema; what is deeper still is refused by one.
const deepest = 12;

function holdsNull(value: unknown, levels: number): boolean {
  if (value === null) return true;
  if (typeof value !== 'object' || levels === 0 || Buffer.isBuffer(value)) return false;
  return Object.values(value).some((each) => holdsNull(each, levels - 1));
}

function strip(value: unknown, nodes: readonly SchemaNode[], outline: SchemaOutline): unknown {
  if (typeof value !== 'object' || value === null || nodes.length === 0 || Buffer.isBuffer(value))
    return value;
  const shapes = nodes.flatMap(outline.branchesOf);
  if (Array.isArray(value)) {
    const items = shapes.flatMap(({ items }) => items ?? []);
    return value.map((each) => strip(each, items, outline));
  }
  const allowsNull = (node: SchemaNode) => outline.branchesOf(node).some(({ type }) => type === 'null');
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const known = shapes.flatMap((shape) => memberOf(shape, name) ?? []);
      if (member === null) return known.length > 0 && !known.some(allowsNull) ? [] : [[name, null]];
      return [[name, strip(member, known, outline)]];
    }),
  );
}

function memberOf({ properties, additionalProperties }: SchemaNode, name: string): SchemaNode | undefined {
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof additionalProperties === 'object' ? additionalProperties : undefined;
}

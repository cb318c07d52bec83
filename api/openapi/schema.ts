// From zod to the schemas of OpenAPI 3.1, which are JSON Schema.
import { z } from 'zod';

export type Json = Record<string, unknown>;

/** From zod to JSON Schema; schemas with an id become components. */
export function toSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...root
  } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json & {
    $defs?: Json;
  };
  for (const [name, definition] of Object.entries($defs)) {
    const { id: _id, ...known } = pointToComponents(definition) as Json;
    if (schemas[name] && JSON.stringify(schemas[name]) !== JSON.stringify(known)) {
      throw new Error(`Two different schemas are called ${name}`);
    }
    schemas[name] = known;
  }
  return pointToComponents(root) as Json;
}

function pointToComponents(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(pointToComponents);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) =>
      name === '$ref' && typeof value === 'string'
        ? [name, value.replace('#/$defs/', '#/components/schemas/')]
        : [name, pointToComponents(value)],
    ),
  );
}

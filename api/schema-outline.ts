// A schema as JSON Schema, for what is to be known of it without asking zod: made once for each.
import { z } from 'zod';

export type SchemaNode = {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly type?: string;
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly maxItems?: number;
  readonly maxProperties?: number;
};

export type SchemaOutline = {
  readonly root: SchemaNode;
  /** The node that a reference names. */
  resolve(node: SchemaNode | undefined): SchemaNode | undefined;
  /** The node itself, or the choices that it gives. */
  branchesOf(node: SchemaNode | undefined): readonly SchemaNode[];
};

const outlines = new WeakMap<z.ZodType, SchemaOutline>();

/** What `schema` reads. */
export function outlineOf(schema: z.ZodType): SchemaOutline {
  const known = outlines.get(schema);
  if (known) return known;
  const outline = makeOutline(schema);
  outlines.set(schema, outline);
  return outline;
}

function makeOutline(schema: z.ZodType): SchemaOutline {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
  const branches = new WeakMap<SchemaNode, readonly SchemaNode[]>();
  const resolve = (node: SchemaNode | undefined) =>
    node?.$ref === undefined ? node : root.$defs?.[node.$ref.replace('#/$defs/', '')];
  const branchesOf = (given: SchemaNode | undefined): readonly SchemaNode[] => {
    const node = resolve(given);
    if (!node) return [];
    const known = branches.get(node);
    if (known) return known;
    const found = node.anyOf ? node.anyOf.flatMap(branchesOf) : [node];
    branches.set(node, found);
    return found;
  };
  return { root, resolve, branchesOf };
}

// Lists and objects with more entries than their schema allows, found before zod looks at any of them: it would read
// every entry and complain about each.
import { z } from 'zod';

type Node = {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
  readonly type?: string;
  readonly anyOf?: readonly Node[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly maxItems?: number;
  readonly maxProperties?: number;
};

type Described = { readonly root: Node | undefined; resolve(node: Node | undefined): Node | undefined };

const known = new WeakMap<z.ZodType, Described>();

/** The JSON Schema of what a schema reads; made once. */
export function described(schema: z.ZodType): Described {
  const made = known.get(schema);
  if (made) return made;
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
  const resolve = (node: Node | undefined) =>
    node?.$ref === undefined ? node : root.$defs?.[node.$ref.replace('#/$defs/', '')];
  const result = { root: resolve(root), resolve };
  known.set(schema, result);
  return result;
}

export type Crowded = {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
  readonly received: string;
  readonly accepted: { readonly maximum: number };
};

/** Everything in `value` that has too many entries; what is in it is not looked at. */
export function findCrowded({ root, resolve }: Described, value: unknown): Crowded[] {
  return find(root, value, []);

  function find(given: Node | undefined, inner: unknown, path: readonly PropertyKey[]): Crowded[] {
    if (typeof inner !== 'object' || inner === null || Buffer.isBuffer(inner)) return [];
    const type = Array.isArray(inner) ? 'array' : 'object';
    const node = branchesOf(given).find((branch) => branch.type === type);
    if (!node) return [];
    return Array.isArray(inner) ? inList(node, inner, path) : inObject(node, inner, path);
  }

  function inList(node: Node, list: readonly unknown[], path: readonly PropertyKey[]): Crowded[] {
    const { maxItems = Number.POSITIVE_INFINITY } = node;
    if (list.length > maxItems) return [crowded(path, maxItems, `a list of ${list.length}`)];
    return list.flatMap((entry, index) => find(node.items, entry, [...path, index]));
  }

  function inObject(node: Node, members: object, path: readonly PropertyKey[]): Crowded[] {
    const { maxProperties = Number.POSITIVE_INFINITY, properties = {} } = node;
    const count = Object.keys(members).length;
    if (count > maxProperties) return [crowded(path, maxProperties, `an object of ${count}`)];
    return Object.entries(properties).flatMap(([name, inner]) =>
      Object.hasOwn(members, name)
        ? find(inner, (members as Record<string, unknown>)[name], [...path, name])
        : [],
    );
  }

  function branchesOf(given: Node | undefined): Node[] {
    const node = resolve(given);
    if (!node) return [];
    return node.anyOf ? node.anyOf.flatMap(branchesOf) : [node];
  }
}

const crowded = (path: readonly PropertyKey[], most: number, received: string): Crowded => ({
  path,
  detail: `must have at most ${most} entries`,
  received,
  accepted: { maximum: most },
});

// Lists and objects with more entries than their schema allows, and fields that it does not know, found before zod
// looks at any of them: it would read every entry and complain about each.
import type { SchemaNode, SchemaOutline } from './schema-outline.ts';

type Oddity = {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
  readonly received?: string;
  readonly accepted?: unknown;
};

export type Crowd = {
  /** What has too many entries; what is in it is not looked at. */
  readonly crowded: readonly Oddity[];
  /** The first `most` fields that the schema does not know. */
  readonly unknown: readonly Oddity[];
  /** How many such fields there are. */
  readonly unknownCount: number;
};

export function findCrowds({ root, branchesOf }: SchemaOutline, value: unknown, most: number): Crowd {
  const crowded: Oddity[] = [];
  const unknown: Oddity[] = [];
  let unknownCount = 0;
  look(root, value, []);
  return { crowded, unknown, unknownCount };

  function look(given: SchemaNode | undefined, inner: unknown, path: readonly PropertyKey[]): void {
    if (typeof inner !== 'object' || inner === null || Buffer.isBuffer(inner)) return;
    const type = Array.isArray(inner) ? 'array' : 'object';
    const [node, ...others] = branchesOf(given).filter((branch) => branch.type === type);
    if (!node) return;
    if (Array.isArray(inner)) lookInList(node, inner, path);
    else lookInObject(node, inner, path, others.length === 0 && node.additionalProperties === false);
  }

  function lookInList(node: SchemaNode, list: readonly unknown[], path: readonly PropertyKey[]): void {
    const { maxItems = Number.POSITIVE_INFINITY } = node;
    if (list.length > maxItems) tooMany(path, maxItems, `a list of ${list.length}`);
    else for (const [index, entry] of list.entries()) look(node.items, entry, [...path, index]);
  }

  function lookInObject(
    node: SchemaNode,
    members: object,
    path: readonly PropertyKey[],
    isStrict: boolean,
  ): void {
    const { maxProperties = Number.POSITIVE_INFINITY, properties = {} } = node;
    const names = Object.keys(members);
    if (names.length > maxProperties) {
      tooMany(path, maxProperties, `an object of ${names.length}`);
      return;
    }
    const known = new Set(Object.keys(properties));
    let isFirst = true;
    for (const name of names) {
      if (known.has(name)) {
        look(properties[name], (members as Record<string, unknown>)[name], [...path, name]);
      } else if (isStrict && ++unknownCount <= most) {
        // What is accepted is said once for each object: an answer must not be much longer than what it answers.
        const accepted = isFirst && { accepted: [...known] };
        unknown.push({ path: [...path, name], detail: unknownField, ...accepted });
        isFirst = false;
      }
    }
  }

  function tooMany(path: readonly PropertyKey[], maximum: number, received: string): void {
    crowded.push({ path, detail: `must have at most ${maximum} entries`, received, accepted: { maximum } });
  }
}

export const unknownField = 'is not a known field';

// `tag=value; tag=value`: the form of DKIM keys (RFC 6376 section 3.2) and DMARC records (RFC 9989).

export type TagList = {
  readonly tags: ReadonlyMap<string, string>;
  /** Names in the order in which they stand. */
  readonly order: readonly string[];
  readonly faults: readonly string[];
};

export function readTagList(text: string): TagList {
  const tags = new Map<string, string>();
  const order: string[] = [];
  const faults: string[] = [];
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const [, name, value = ''] = /^\s*([a-z][a-z0-9_]*)\s*=\s*([\s\S]*?)\s*$/i.exec(part) ?? [];
    if (name === undefined) {
      faults.push(`"${part.trim().slice(0, 40)}" is no "name=value"`);
      continue;
    }
    const key = name.toLowerCase();
    if (tags.has(key)) faults.push(`"${key}" stands there twice`);
    tags.set(key, value);
    order.push(key);
  }
  return { tags, order, faults };
}

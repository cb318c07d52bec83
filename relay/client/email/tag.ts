// Tags and streams: the caller's own words for what a mail belongs to. They hold no character of an address.

export type Tag = { readonly name: string; readonly value: string };

/** Of a tag's name, its value, and a stream. */
export const tagWord = /^[A-Za-z0-9_-]{1,256}$/;

/** The same as the rest of a sentence. */
export const tagWordRule = 'must be 1 to 256 letters, digits, _ or -';

export const mostTags = 75;

/** The tags of a mail with those of its key behind them, as far as there is room. Its own win. */
export function withTagsOfKey(own: readonly Tag[], ofKey: readonly Tag[] = []): readonly Tag[] {
  if (ofKey.length === 0) return own;
  const names = new Set(own.map(({ name }) => name));
  return [...own, ...ofKey.filter(({ name }) => !names.has(name))].slice(0, mostTags);
}

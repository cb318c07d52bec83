// Tags and streams: the caller's own words for what a mail belongs to. They hold no character of an address.

export type Tag = { readonly name: string; readonly value: string };

/** Of a tag's name, its value, and a stream. */
export const tagWord = /^[A-Za-z0-9_-]{1,256}$/;

/** The same as the rest of a sentence. */
export const tagWordRule = 'must be 1 to 256 letters, digits, _ or -';

export const mostTags = 75;

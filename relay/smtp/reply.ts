// A provider's reply (RFC 5321 §4.2): whether it is one at all, and what it says.

export type Reply = {
  readonly code: number;
  /** RFC 3463, when the provider sends one. */
  readonly enhanced: string | null;
  /** Word for word, line by line, without what a terminal or the database could not take. */
  readonly text: string;
};

const longestKept = 2_000;
const controls = /[^\P{Cc}\n]/gu;

/** Reads a reply that arrived completely; undefined when it is not one, such as garbage or a word from HTTP. */
export function readReply(raw: string): Reply | undefined {
  const lines = raw.split(/\r?\n/);
  const code = /^([2-5]\d\d)(?:[ -]|$)/.exec(raw)?.[1];
  // Every line of a multi-line reply repeats the code, and only the last has a space after it (§4.2.1).
  if (code === undefined || !lines.every((line) => line.startsWith(code))) return undefined;
  return { code: Number(code), enhanced: enhancedOf(raw), text: tidy(raw) };
}

/** What the database and a reader can bear of what a stranger sent: no NUL, no escape codes, no megabyte. */
export function tidy(raw: string): string {
  const clean = raw
    .slice(0, longestKept + 1)
    .replace(controls, ' ')
    .trim();
  return (clean.length > longestKept ? `${clean.slice(0, longestKept)}…` : clean).toWellFormed();
}

/** The provider's own name for a mail, by the wording of the common servers; null when none is recognised. */
export function providerQueueId(text: string): string | null {
  const named =
    /\bqueued(?: mail for delivery)?(?: as|:)?\s+<?([\w.@+/=-]{4,128})>?/i.exec(text) ??
    /\b(?:id|mail id|message[- ]id)[ =:]+<?([\w.@+/=-]{4,128})>?/i.exec(text) ??
    // Google and Amazon put it, without a word, behind the status.
    /^250 2\.0\.0 OK\s+(?:\d{9,}\s+)?([\w.+/=-]{8,128})(?: - gsmtp)?$/i.exec(text) ??
    /^250 Ok ([\w-]{20,128})$/i.exec(text) ??
    // Microsoft: the Message-ID that it put in the place of ours.
    /^250 2\.0\.0 OK\s+<([\w.+/=-]{1,128}@[\w.-]{1,128})>/i.exec(text);
  return named?.[1] ?? null;
}

function enhancedOf(raw: string): string | null {
  return /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(raw)?.[1] ?? null;
}

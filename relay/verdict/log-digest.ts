// A log of a day in, a page out: how many refusals of which cause, and the words that no rule knows, grouped. Reads
// Postern's own lines, those of Postfix and Exim, and any line that quotes a reply.
import type { Cause } from './catalogue.ts';
import { explain } from './explain.ts';
import { isUnnamed, templateOf } from './unnamed.ts';
import { judge } from './verdict.ts';

type Group = { count: number; readonly verdict: string; readonly cause: Cause };

export type LogDigest = {
  /** Takes one line; lines without a refusal are passed over. */
  read(line: string): void;
  describe(): string;
};

/** What is kept of a log, however long it is. */
const mostGroups = 500;
const shown = 50;
const longestLine = 16_384;

export function openLogDigest(): LogDigest {
  const named = new Map<Cause, number>();
  const unnamed = new Map<string, Group>();
  let lines = 0;
  let refusals = 0;
  let dropped = 0;

  return {
    read(line) {
      lines++;
      const found = refusalIn(line.slice(0, longestLine));
      if (found === undefined) return;
      refusals++;
      const { cause, verdict } = judge({ symptom: { reply: found } });
      if (!isUnnamed(cause)) {
        named.set(cause, (named.get(cause) ?? 0) + 1);
        return;
      }
      const template = templateOf(found);
      const group = unnamed.get(template);
      if (group) group.count++;
      else if (unnamed.size < mostGroups) unnamed.set(template, { count: 1, verdict, cause });
      else dropped++;
    },

    describe() {
      const known = [...named].sort(([, a], [, b]) => b - a);
      const unknown = [...unnamed].sort(([, a], [, b]) => b.count - a.count);
      return [
        `${lines} lines, ${refusals} refusals.`,
        ...(known.length > 0 ? ['', 'Known by their words:'] : []),
        ...known.map(([cause, count]) => `${counted(count)}  ${cause}: ${explain(cause).title}`),
        ...(unknown.length > 0
          ? [
              '',
              'Not known by their words, judged by the code alone (addresses, hosts and ids are taken out):',
            ]
          : []),
        ...unknown
          .slice(0, shown)
          .map(([template, { count, verdict }]) => `${counted(count)}  ${verdict}: ${template}`),
        ...(unknown.length > shown ? [`         and ${unknown.length - shown} others`] : []),
        ...(dropped > 0 ? [`         and ${dropped} refusals more that were not grouped`] : []),
        '',
      ].join('\n');
    },
  };
}

const counted = (count: number) => String(count).padStart(7);

// Events of Postern's own log that tell of a refusal; others quote replies that were read before.
const ownEvents = new Set(['bounced', 'deferred', 'held', 'queued']);

function refusalIn(line: string): string | undefined {
  if (line.startsWith('{')) {
    try {
      const { event, reply } = JSON.parse(line) as { event?: unknown; reply?: unknown };
      const isRefusal = typeof reply === 'string' && /^[45]\d\d/.test(reply);
      return isRefusal && (typeof event !== 'string' || ownEvents.has(event)) ? reply : undefined;
    } catch {
      return undefined;
    }
  }
  // Postfix: `said: 550 …)`; Exim: `…: 550 …`; others begin with the reply.
  const quoted =
    /(?:said|refused to talk to me|after [A-Z ]+(?:<[^>]*>)?[^:]{0,80}|response|reply|error|message)[:=] ?["']?([45]\d\d[ -].*)$/i.exec(
      line,
    ) ?? /(?:^|[:("'] ?)([45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3}|\S{0,40}[a-z]{3}).*)$/i.exec(line);
  return quoted?.[1]?.replace(/ ?\(in reply to [^)]*\)\)?$/, '').replace(/\)$/, '');
}

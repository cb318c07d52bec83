// Finding a section of the manual by words. A few hundred sections: reading all of them takes less than a millisecond.
import type { Section } from './manual.ts';

export const longestQuery = 200;
const mostWords = 8;
const mostFound = 20;
const excerptLength = 200;

export type Found = Section & {
  /** Around the first word that was found. */
  readonly excerpt: string;
};

/** Sections that hold every word (in any case, also in the middle of a word), those with it in their heading first. */
export function searchSections(sections: readonly Section[], query: string): Found[] {
  const words = query.slice(0, longestQuery).toLowerCase().split(/\s+/).filter(Boolean).slice(0, mostWords);
  if (words.length === 0) return [];
  return sections
    .map((section) => ({ section, score: scoreOf(section, words) }))
    .filter(({ score }) => score > 0)
    .toSorted((one, other) => other.score - one.score)
    .slice(0, mostFound)
    .map(({ section }) => ({ ...section, excerpt: excerptOf(section.text, words) }));
}

function scoreOf({ heading, text }: Section, words: readonly string[]): number {
  const [inHeading, inText] = [heading.toLowerCase(), text.toLowerCase()];
  let score = 0;
  for (const word of words) {
    if (inHeading.includes(word)) score += 10;
    else if (inText.includes(word)) score += 1;
    else return 0;
  }
  return score;
}

function excerptOf(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase();
  const first = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((at) => at >= 0)));
  const from = Number.isFinite(first) ? Math.max(0, first - excerptLength / 3) : 0;
  const piece = text.slice(from, from + excerptLength).trim();
  return `${from > 0 ? '… ' : ''}${piece}${from + excerptLength < text.length ? ' …' : ''}`;
}

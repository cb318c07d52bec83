// Markdown files turned into pages and sections: links between files become links between pages, and files that a page
// links to are served beside it, so that the manual is complete where there is no internet.
import { readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { Marked, type Token, type Tokens } from 'marked';
import { getHeadingList, gfmHeadingId } from 'marked-gfm-heading-id';
import { escapeHtml } from '../templates/render.ts';
import { type Chapter, chapters } from './chapters.ts';

export type Page = Chapter & {
  readonly html: string;
  readonly headings: readonly { readonly id: string; readonly level: number; readonly text: string }[];
};

/** A heading and the text up to the next one: what a search finds. */
export type Section = {
  readonly page: string;
  /** With the anchor. */
  readonly href: string;
  readonly heading: string;
  /** Plain text, blanks folded. */
  readonly text: string;
};

export type Manual = {
  readonly pages: ReadonlyMap<string, Page>;
  readonly sections: readonly Section[];
  /** Files that a page links to, by their path in the repository. */
  readonly files: ReadonlyMap<string, Buffer>;
};

const root = dirname(dirname(import.meta.dirname));

/** Reads every chapter. Throws when one is missing: then the image was built without it. */
export async function readManual(directory = root): Promise<Manual> {
  const pages = new Map<string, Page>();
  const sections: Section[] = [];
  const wanted = new Set<string>();
  for (const chapter of chapters) {
    const markdown = await readFile(join(directory, chapter.file), 'utf8');
    const page = writePage(chapter, markdown, wanted);
    pages.set(chapter.slug, page);
    sections.push(...sectionsOf(page, markdown));
  }
  return { pages, sections, files: await readFiles(directory, wanted) };
}

function writePage(chapter: Chapter, markdown: string, wanted: Set<string>): Page {
  const marked = new Marked(gfmHeadingId(), {
    renderer: {
      link({ href, tokens }) {
        const target = resolveLink(chapter.file, href);
        if (target.file) wanted.add(target.file);
        return target.href === undefined
          ? this.parser.parseInline(tokens)
          : `<a href="${escapeHtml(target.href)}">${this.parser.parseInline(tokens)}</a>`;
      },
      // Pictures stay in the repository: a page of the manual loads nothing.
      image: ({ text }) => `<em>${escapeHtml(text)}</em>`,
    },
  });
  const html = marked.parse(markdown, { async: false });
  const headings = getHeadingList().map(({ id, level, raw }) => ({ id, level, text: plainText(raw) }));
  return { ...chapter, html, headings };
}

/** What a link in a file leads to on the api: another page, a file that is served, or nothing (its words stay). */
export function resolveLink(from: string, href: string): { href?: string; file?: string } {
  if (/^(?:https?:|mailto:|#)/.test(href)) return { href };
  const [path = '', anchor] = href.split('#');
  const target = posix.normalize(posix.join(posix.dirname(from), path));
  const chapter = chapters.find(({ file }) => file === target);
  if (chapter) return { href: `/docs/${chapter.slug}${anchor ? `#${anchor}` : ''}` };
  if (!isServed(target)) return {};
  return { href: `/docs/files/${target}`, file: target };
}

/** Only what people copy from the manual; the sources of the processes are in the repository. */
const isServed = (path: string) =>
  /^deploy\/.+\.(?:ya?ml|json|example|toml|py|m?js|rb|php|go|java|sh|properties|conf|cf)$/.test(path);

async function readFiles(directory: string, wanted: Set<string>): Promise<Map<string, Buffer>> {
  const files = [...wanted].map(async (path) => [path, await readFile(join(directory, path))] as const);
  return new Map(await Promise.all(files));
}

function sectionsOf(page: Page, markdown: string): Section[] {
  const tokens = new Marked().lexer(markdown);
  const sections: Section[] = [];
  let texts: string[] = [];
  let at = 0;
  const close = () => {
    const heading = page.headings[at - 1];
    if (!heading) return;
    const text = texts.join(' ').replace(/\s+/g, ' ').trim();
    sections.push({
      page: page.title,
      href: `/docs/${page.slug}#${heading.id}`,
      heading: heading.text,
      text,
    });
  };
  for (const token of tokens) {
    if (token.type !== 'heading') {
      texts.push(textOf(token));
      continue;
    }
    close();
    texts = [];
    at++;
  }
  close();
  return sections;
}

/** The words of a token and of all that it holds, without the marks. */
function textOf(token: Token): string {
  if (token.type === 'table') {
    const { header, rows } = token as Tokens.Table;
    return [header, ...rows].flatMap((row) => row.map(({ tokens }) => tokens.map(textOf).join(''))).join(' ');
  }
  if (token.type === 'list') return (token as Tokens.List).items.map(textOf).join(' ');
  const { tokens } = token as { tokens?: Token[] };
  if (tokens) return tokens.map(textOf).join(token.type === 'list_item' ? ' ' : '');
  return 'text' in token ? String(token.text) : '';
}

const plainText = (inline: string) => new Marked().lexer(inline).map(textOf).join('').trim();

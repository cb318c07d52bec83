// What is in the HTML of an email: its links, and what large mail clients will not show as it was meant. Nothing of it is
// run or loaded: a document of DOMParser is only read.

const outlook = 'Outlook on Windows ignores it.';
const gmail = 'Gmail removes it.';

/** Each looks for one thing; `where` says who does not show it. */
const rules = [
  { what: 'Script', find: /<script\b/gi, where: 'Every mail client removes scripts.' },
  {
    what: 'External style sheet',
    find: /<link\b[^<>]*stylesheet/gi,
    where: 'Gmail, Outlook and Yahoo do not load it. Write the styles into the email.',
  },
  { what: '@import', find: /@import\b/gi, where: gmail },
  { what: 'Form', find: /<form\b/gi, where: 'Gmail and Outlook do not send forms. Use a link.' },
  {
    what: 'Video or audio',
    find: /<(?:video|audio)\b/gi,
    where: 'Gmail and Outlook show only what stands inside as a replacement.',
  },
  {
    what: 'Frame, object or embed',
    find: /<(?:iframe|object|embed)\b/gi,
    where: 'Every large mail client removes it.',
  },
  { what: 'SVG', find: /<svg\b|\.svg["'?)\s]/gi, where: 'Gmail and Outlook do not show it. Use PNG.' },
  {
    what: 'WebP or AVIF image',
    find: /\.(?:webp|avif)["'?)\s]/gi,
    where: 'Outlook on Windows does not show it.',
  },
  {
    what: 'Image as data: address',
    find: /<img\b[^<>]*src\s*=\s*["']?data:/gi,
    where: 'Gmail and Outlook do not show it. Attach it and use cid:.',
  },
  { what: 'display: flex', find: /display\s*:\s*(?:inline-)?flex/gi, where: outlook },
  {
    what: 'display: grid',
    find: /display\s*:\s*(?:inline-)?grid/gi,
    where: 'Gmail and Outlook on Windows ignore it.',
  },
  {
    what: 'position',
    find: /position\s*:\s*(?:absolute|fixed|sticky|relative)/gi,
    where: 'Gmail removes it; Outlook on Windows ignores it.',
  },
  {
    what: 'Background image',
    find: /background(?:-image)?\s*:[^;"'}]*url\(/gi,
    where: 'Outlook on Windows shows it only with VML.',
  },
  { what: 'border-radius', find: /border-radius\s*:/gi, where: 'Outlook on Windows shows square corners.' },
  { what: 'box-shadow', find: /box-shadow\s*:/gi, where: 'Gmail and Outlook on Windows ignore it.' },
  { what: 'CSS variable', find: /var\(\s*--/gi, where: 'Gmail and Outlook ignore it.' },
  {
    what: 'Animation',
    find: /@keyframes\b|animation(?:-name)?\s*:/gi,
    where: 'Gmail and Outlook ignore it.',
  },
  {
    what: 'Web font',
    find: /@font-face\b|fonts\.googleapis\.com/gi,
    where: 'Gmail and Outlook show another font.',
  },
  {
    what: 'max-width',
    find: /max-width\s*:/gi,
    where: 'Outlook on Windows ignores it outside of tables: set a width as well.',
  },
  { what: 'object-fit', find: /object-fit\s*:/gi, where: outlook },
  {
    what: 'Image without alt text',
    find: /<img\b(?![^<>]*\balt\s*=)[^<>]*>/gi,
    where: 'Many clients show no images at first: then nothing stands there.',
  },
  {
    what: 'AMP',
    find: /<html\b[^<>]*\s(?:amp4email|⚡4email)/gi,
    where: 'Only Gmail and Mail.ru show it, in a part of its own.',
  },
];

// Gmail cuts the message there and shows a link to the rest.
const clippedAt = 102_000;

export function checkHtml(source) {
  const found = rules.flatMap(({ what, find, where }) => {
    const { length } = source.match(find) ?? [];
    return length ? [{ what, where, count: length }] : [];
  });
  const size = new TextEncoder().encode(source).length;
  if (size <= clippedAt) return found;
  return [
    {
      what: `${Math.round(size / 1_000)} kB of HTML`,
      where: 'Gmail shows the first 102 kB and a link to the rest.',
      count: 1,
    },
    ...found,
  ];
}

const mostLinks = 500;

export function linksOf(source) {
  const document = new DOMParser().parseFromString(source, 'text/html');
  return [...document.querySelectorAll('a[href], area[href]')].slice(0, mostLinks).map((link) => {
    const href = link.getAttribute('href').trim();
    const text = link.textContent.trim().replaceAll(/\s+/g, ' ');
    const picture = link.querySelector('img')?.getAttribute('alt');
    return {
      href,
      text: text || (picture === undefined ? '(no text)' : `Image: ${picture || 'without alt text'}`),
      warning: warningOf(href, text),
    };
  });
}

function warningOf(href, text) {
  if (href === '' || href === '#') return 'Leads nowhere.';
  if (/^http:/i.test(href)) return 'Not encrypted: http.';
  if (/^(?!https?:|mailto:|tel:|sms:|#|cid:)/i.test(href))
    return 'Not a full address: mail clients cannot open it.';
  const named = /^(?:https?:\/\/)?([\w-]+(?:\.[\w-]+)+)/i.exec(text)?.[1]?.toLowerCase();
  const host =
    /^https?:/i.test(href) && URL.canParse(href) ? new URL(href).hostname.toLowerCase() : undefined;
  const plain = (name) => name.replace(/^www\./, '');
  if (named && host && plain(named) !== plain(host))
    return `The text names ${named}, and the link leads to ${host}.`;
  return undefined;
}

// Links of a mail that is looked at: each opens a window of its own, which shows where it leads before anybody goes there.
import { type RequestHandler, Router } from 'express';
import { sendPage } from '../pages/page.ts';
import { escapeHtml } from '../templates/render.ts';

const leavePath = '/dashboard/leave';

const linkTag = /<(a|area)\b([^<>]*)>/gi;
const hrefOf = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i;
const anyTarget = /\btarget(?=\s*=)/gi;
const othersOf = /\b(?:ping|download|rel)\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+)/gi;

/** Every link leads to the page that shows its target; one within the mail stays as it is. */
export function withShownLinks(html: string): string {
  // A link that is written so that this does not see it stays in its frame, which shows no other site.
  return html
    .replaceAll(anyTarget, 'x-target')
    .replaceAll(linkTag, (whole, name: string, attributes: string) => {
      const href = hrefOf.exec(attributes);
      if (!href) return whole;
      const target = plain(href[1] ?? href[2] ?? href[3] ?? '').trim();
      if (target.startsWith('#')) return whole;
      const rest = attributes.replace(hrefOf, '').replaceAll(othersOf, '');
      return `<${name}${rest.replace(/\/\s*$/, '')} href="${leavePath}?to=${encodeURIComponent(target.slice(0, mostCharacters))}" target="_blank" rel="noopener noreferrer">`;
    });
}

const mostCharacters = 4_000;
const named: Readonly<Record<string, string>> = { amp: '&', quot: '"', apos: "'", lt: '<', gt: '>' };

/** An attribute's value without its entities, as far as addresses use them. */
const plain = (value: string) =>
  value.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|quot|apos|lt|gt));/gi,
    (whole, decimal, hex, name) => {
      if (name) return named[String(name).toLowerCase()] ?? whole;
      const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );

/**
 * The page between. Anybody may see it: a window that a mail opens carries no cookie of ours. It leads nowhere by itself,
 * and shows its target in full.
 */
export function leaveRoutes(): RequestHandler {
  const router = Router();
  router.get(leavePath, (request, response) => {
    const { to } = request.query;
    const target = typeof to === 'string' ? to.slice(0, mostCharacters) : '';
    const shown = `<p><code>${escapeHtml(target)}</code></p>`;
    const way = isOpenable(target)
      ? `<p><a href="${escapeHtml(target)}" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer">Open it</a></p>`
      : '<p>This is no address that a browser opens.</p>';
    sendPage(response, {
      title: 'A link of an email',
      body: `<h1>A link of an email leads here</h1>${shown}<p>Whoever wrote the email sees that you came.</p>${way}`,
    });
  });
  return router;
}

const isOpenable = (target: string) => /^(?:https?:\/\/|mailto:)/i.test(target) && URL.canParse(target);

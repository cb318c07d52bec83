// A page for people: one HTML document that loads nothing from anywhere but its own style and, where told, one script.
import { createHash } from 'node:crypto';
import type { Response } from 'express';
import { escapeHtml } from '../templates/render.ts';

const style = `
:root { color-scheme: light dark; --ink: #1f2426; --soft: #5b6265; --line: #e2ddd1; --card: #fffefb; --mark: #22606a; --mark-ink: #fffefb }
body { background: #f7f5f0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e6e1; --soft: #a0a6a8; --line: #30363b; --card: #1c2024; --mark: #7cc4cc; --mark-ink: #10201f }
  body { background: #15181b }
}
body { margin: 0 auto; padding: 2rem 1.25rem 5rem; max-width: 58rem; color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.7rem } h2 { margin-top: 3rem } h3 { margin: 2.5rem 0 .25rem; font-size: 1.05rem }
a { color: var(--mark) } code, pre { font: .875em/1.5 ui-monospace, monospace }
pre { overflow: auto; padding: .8rem 1rem; background: var(--card); border-radius: 6px }
table { border-collapse: collapse; width: 100% } td, th { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
summary { cursor: pointer; color: var(--soft) } .soft { color: var(--soft) } .method { font-weight: 600; text-transform: uppercase }
button { padding: .7rem 1.2rem; border: 0; border-radius: 6px; background: var(--mark); color: var(--mark-ink); font: inherit; cursor: pointer }
input[type=search] { padding: .6rem .8rem; width: min(24rem, 60%); border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit; font: inherit }
th { font-weight: 600 } td code { overflow-wrap: anywhere }
button:disabled { opacity: .5; cursor: default }
`;

const styleHash = createHash('sha256').update(style).digest('base64');

/**
 * @param script the address of a script of ours
 * @param hasForm whether the page holds a form of ours
 */
export function sendPage(
  response: Response,
  {
    title,
    body,
    script,
    hasForm = false,
    status = 200,
  }: { title: string; body: string; script?: string; hasForm?: boolean; status?: number },
): void {
  response
    .status(status)
    .set({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        `default-src 'none'; style-src 'sha256-${styleHash}'; script-src 'self'; connect-src 'self'; ` +
        `base-uri 'none'; form-action ${hasForm ? "'self'" : "'none'"}; frame-ancestors 'none'`,
    })
    .end(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<title>${escapeHtml(title)}</title><style>${style}</style>` +
        `${script ? `<script type="module" src="${script}"></script>` : ''}</head><body>${body}</body></html>`,
    );
}

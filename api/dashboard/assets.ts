// The files of the pages: ours and those of Preact and htm from node_modules, each kind in one file. They are
// served under an address that names their content, so that browsers keep them for good and never mix two versions.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import type { RequestHandler, Response } from 'express';
import { escapeHtml } from '../templates/render.ts';
import { bundle } from './bundle.ts';

const pages = join(import.meta.dirname, 'pages');

const library = (name: string) => fileURLToPath(import.meta.resolve(name));

/** What the pages import by name, and the file behind it. */
const libraries: Readonly<Record<string, string>> = {
  preact: library('preact'),
  'preact/hooks': library('preact/hooks'),
  htm: library('htm'),
};

/** In the order in which they have the last word. */
const sheets = [
  'base',
  'shell',
  'controls',
  'status',
  'overview',
  'lists',
  'mail',
  'diagnosis',
  'scheduled',
  'narrow',
];

// In the order of what takes less of the line. Browsers take Brotli over HTTPS only.
const encodings = { br: promisify(brotliCompress), gzip: promisify(gzip) };
type Encoding = keyof typeof encodings;

type Asset = {
  readonly type: string;
  readonly content: Buffer;
  /** Made when somebody asks first, beside this thread. */
  readonly encoded: Partial<Record<Encoding, Promise<Buffer>>>;
};

export type Assets = {
  /** Serves /dashboard/files/VERSION/… */
  readonly serve: RequestHandler;
  /** Answers with the one document that all pages live in. */
  /** @param known who is signed in, null for nobody, and undefined when that cannot be told now */
  sendDocument(response: Response, known: { person: object | null | undefined; hasOidc: boolean }): void;
};

const read = (path: string) => readFileSync(path, 'utf8');

/** A page of ours as a browser needs it: what is written for whoever reads the source is a tenth of what is sent. */
const forBrowsers = (source: string) =>
  source
    .replaceAll(/^[ \t]*\/\/.*\n|^[ \t]*\/\*[\s\S]*?\*\/[ \t]*\n/gm, '')
    .replaceAll(/^[ \t]+|\n(?=\n)/gm, '');

/** All scripts as one. */
function script(): string {
  const modules = new Map(Object.entries(libraries).map(([name, path]) => [name, read(path)]));
  for (const name of readdirSync(pages).filter((each) => each.endsWith('.js')))
    modules.set(name, forBrowsers(read(join(pages, name))));
  return bundle(modules, 'main.js');
}

export function openAssets(): Assets {
  const files = new Map<string, Asset>();
  const styles = sheets.map((name) => forBrowsers(read(join(pages, `${name}.css`))));
  const add = (name: string, type: string, content: string) =>
    files.set(name, { type: `${type}; charset=utf-8`, content: Buffer.from(content), encoded: {} });
  add('main.js', 'text/javascript', script());
  add('main.css', 'text/css', styles.join('\n'));

  const digest = createHash('sha256');
  for (const [name, { content }] of files) digest.update(name).update(content);
  const base = `/dashboard/files/${digest.digest('hex').slice(0, 16)}`;

  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  // In the document, so that it costs no request.
  const icon = `data:image/svg+xml,${encodeURIComponent(read(join(pages, 'postern.svg')))}`;
  const document = (person: object | null | undefined, hasOidc: boolean) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${person === undefined ? '' : `<meta name="person" content="${escapeHtml(JSON.stringify(person))}">\n`}${hasOidc ? '<meta name="oidc" content="on">\n' : ''}<title>Postern</title>
<link rel="icon" href="${icon}" type="image/svg+xml">
<link rel="stylesheet" href="${base}/main.css">
<script type="module" src="${base}/main.js"></script>
</head>
<body><div id="page"><p class="late">This page is still loading. If it stays so, reload it.</p></div><noscript>The dashboard needs JavaScript in this browser.</noscript></body>
</html>
`;

  return {
    async serve(request, response, next) {
      const asset = request.path.startsWith(`${base}/`) && files.get(request.path.slice(base.length + 1));
      if (!asset) return next();
      response.vary('accept-encoding').set({
        'content-type': asset.type,
        'cache-control': 'public, max-age=31536000, immutable',
      });
      const encoding = (Object.keys(encodings) as Encoding[]).find((each) => request.acceptsEncodings(each));
      if (encoding === undefined) return void response.end(asset.content);
      asset.encoded[encoding] ??= encodings[encoding](asset.content);
      response.set('content-encoding', encoding).end(await asset.encoded[encoding]);
    },
    sendDocument(response, { person, hasOidc }) {
      response
        .set({
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy': policy,
        })
        .end(document(person, hasOidc));
    },
  };
}

// The files of the pages: ours and those of Preact, htm and uPlot from node_modules, as they are. They are served
// under an address that names their content, so that browsers keep them for good and never mix two versions.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { RequestHandler, Response } from 'express';

const pages = join(import.meta.dirname, 'pages');

const library = (name: string) => fileURLToPath(import.meta.resolve(name));
const uplot = dirname(library('uplot'));

/** What the pages import by name, and the file behind it. */
const libraries: Readonly<Record<string, string>> = {
  preact: library('preact'),
  'preact/hooks': library('preact/hooks'),
  htm: library('htm'),
  uplot: join(uplot, 'uPlot.esm.js'),
};

/** In the order in which they have the last word. */
const sheets = ['base', 'shell', 'controls', 'status', 'overview', 'lists', 'mail', 'diagnosis', 'narrow'];

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
};

type Asset = { readonly type: string; readonly content: Buffer; gzipped?: Buffer };

export type Assets = {
  /** Serves /dashboard/files/VERSION/… */
  readonly serve: RequestHandler;
  /** Answers with the one document that all pages live in. */
  sendDocument(response: Response): void;
};

export function openAssets(): Assets {
  const files = new Map<string, Asset>();
  const add = (name: string, path: string) => {
    const type = types[name.slice(name.lastIndexOf('.') + 1)];
    if (type !== undefined) files.set(name, { type, content: readFileSync(path) });
  };
  for (const name of readdirSync(pages)) add(name, join(pages, name));
  for (const [name, path] of Object.entries(libraries)) add(`library/${name}.js`, path);
  add('library/uplot.css', join(uplot, 'uPlot.min.css'));

  const digest = createHash('sha256');
  for (const [name, { content }] of files) digest.update(name).update(content);
  const base = `/dashboard/files/${digest.digest('hex').slice(0, 16)}`;

  const importMap = JSON.stringify({
    imports: Object.fromEntries(Object.keys(libraries).map((name) => [name, `${base}/library/${name}.js`])),
  });
  const importMapHash = createHash('sha256').update(importMap).digest('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'sha256-${importMapHash}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const document = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Postern</title>
<link rel="icon" href="${base}/postern.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}/library/uplot.css">
${sheets.map((name) => `<link rel="stylesheet" href="${base}/${name}.css">`).join('\n')}
<script type="importmap">${importMap}</script>
${[...files.keys()]
  .filter((name) => name.endsWith('.js'))
  .map((name) => `<link rel="modulepreload" href="${base}/${name}">`)
  .join('\n')}
<script type="module" src="${base}/main.js"></script>
</head>
<body><div id="page"><p class="late">This page is still loading. If it stays so, reload it.</p></div><noscript>The dashboard needs JavaScript in this browser.</noscript></body>
</html>
`;

  return {
    serve(request, response, next) {
      const asset = request.path.startsWith(`${base}/`) && files.get(request.path.slice(base.length + 1));
      if (!asset) return next();
      response.vary('accept-encoding').set({
        'content-type': asset.type,
        'cache-control': 'public, max-age=31536000, immutable',
      });
      if (request.acceptsEncodings('gzip') !== 'gzip') return void response.end(asset.content);
      asset.gzipped ??= gzipSync(asset.content);
      response.set('content-encoding', 'gzip').end(asset.gzipped);
    },
    sendDocument(response) {
      response
        .set({
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy': policy,
        })
        .end(document);
    },
  };
}

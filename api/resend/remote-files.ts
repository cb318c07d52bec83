// Attachments that the client names by their address (`path`): fetched before the mail is accepted, so that what cannot
// be had is refused and never missing later. Whoever may send would otherwise reach into the network of this process, so
// the same guard as for webhooks stands before it.
import { type GuardedAnswer, guardedRequest } from '../../deploy/guarded-request.ts';
import type { AddressPolicy } from '../../deploy/public-address.ts';
import { emailBodyLimit } from '../emails/draft.ts';
import { invalidFields } from '../faults.ts';
import type { Preparation } from '../operation.ts';
import type { Fault } from '../problem.ts';
import { faultsOfUrl } from '../webhooks/url.ts';

const usualFetchMs = 10_000;
/** For all files of a request together. */
const patienceMs = 30_000;
const mostFiles = 20;
const mostRedirects = 5;
/** As many octets as would fit into a request in base64. */
const mostBytes = Math.floor((emailBodyLimit * 3) / 4);
/** A file is in memory as it came, in the statement that stores it, and in pg's copy of that. */
const copies = 3;

type Members = Record<string, unknown>;
type Named = { readonly attachment: Members; readonly path: string; readonly pointer: string };

/** Undefined when the request names no such file. */
export function remoteFiles(policy: AddressPolicy, { fetchMs = usualFetchMs } = {}): Preparation {
  return (call, hold) => {
    const named = namedIn(call.body);
    if (named.length === 0) return undefined;
    return async () => {
      refuseUnfit(named, policy);
      await hold(mostBytes * copies);
      await fetchAll(named, { policy, fetchMs, gone: call.gone });
      return call;
    };
  };
}

/** The attachments of a mail, or of all mails of a batch. */
function namedIn(body: unknown): Named[] {
  const mails = Array.isArray(body)
    ? body.map((mail, index) => ({ mail, at: `#/${index}` }))
    : [{ mail: body, at: '#' }];
  return mails.flatMap(({ mail, at }) => {
    const { attachments } = (mail ?? {}) as { attachments?: unknown };
    if (!Array.isArray(attachments)) return [];
    return attachments.flatMap((attachment: unknown, index) => {
      const { path } = (attachment ?? {}) as { path?: unknown };
      const pointer = `${at}/attachments/${index}/path`;
      return typeof path === 'string' ? [{ attachment: attachment as Members, path, pointer }] : [];
    });
  });
}

function refuseUnfit(named: readonly Named[], policy: AddressPolicy): void {
  const faults = named.flatMap(({ attachment, path, pointer }) => [
    ...(isAbsent(attachment.content) ? [] : [faultOf(pointer, 'must not stand beside content', path)]),
    ...faultsOfUrl(path, policy).map((detail) => faultOf(pointer, detail, path)),
  ]);
  if (new Set(named.map(({ path }) => path)).size > mostFiles)
    faults.push(faultOf('#/attachments', `may name at most ${mostFiles} files by path in one request`, null));
  if (faults.length > 0) throw invalidFields(faults);
}

/** One after the other, because all of them together have to fit. What several mails name is fetched once. */
async function fetchAll(
  named: readonly Named[],
  { policy, fetchMs, gone }: { policy: AddressPolicy; fetchMs: number; gone: AbortSignal },
): Promise<void> {
  const deadline = AbortSignal.any([gone, AbortSignal.timeout(patienceMs)]);
  let left = mostBytes;
  for (const [path, users] of Map.groupBy(named, (each) => each.path)) {
    const pointer = users[0]?.pointer ?? '#';
    const signal = AbortSignal.any([deadline, AbortSignal.timeout(fetchMs)]);
    const most = Math.floor(left / users.length);
    const file = await fetchFile(path, { policy, signal, mostBytes: most + 1 }).catch((error: Error) => {
      throw invalidFields([faultOf(pointer, `cannot be fetched: ${wordsOf(error, fetchMs)}`, path)]);
    });
    if (file.body.length > most) {
      const detail = `makes the files of the request larger than ${mostBytes} bytes`;
      throw invalidFields([faultOf(pointer, detail, path)]);
    }
    left -= file.body.length * users.length;
    for (const { attachment } of users) fill(attachment, path, file);
  }
}

type Fetch = {
  readonly policy: AddressPolicy;
  readonly signal: AbortSignal;
  readonly mostBytes: number;
};

async function fetchFile(path: string, fetch: Fetch): Promise<GuardedAnswer> {
  let url = path;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const answer = await guardedRequest(url, {
      method: 'GET',
      headers: { accept: '*/*', 'user-agent': 'Postern' },
      ...fetch,
    });
    if (answer.status === 200) return answer;
    const next = redirectOf(answer, url);
    if (next === undefined) throw new Error(`the server answered ${answer.status}`);
    if (next.host !== new URL(url).host || next.protocol !== new URL(url).protocol)
      throw new Error(`the server leads to another host (${next.host}), which is not followed`);
    url = next.href;
  }
  throw new Error(`the server led on more than ${mostRedirects} times`);
}

function redirectOf({ status, headers }: GuardedAnswer, url: string): URL | undefined {
  const { location } = headers;
  if (status < 300 || status > 399 || location === undefined) return undefined;
  return URL.canParse(location, url) ? new URL(location, url) : undefined;
}

/** Makes of it what it would be if the file had stood in the request. */
function fill(attachment: Members, path: string, { body, headers }: GuardedAnswer): void {
  delete attachment.path;
  attachment.content = body;
  if (isAbsent(attachment.filename)) attachment.filename = nameIn(path);
  // Its name may say it better than a server that calls everything application/octet-stream.
  const type = headers['content-type'];
  if (isAbsent(attachment.content_type) && type !== undefined && !/^application\/octet-stream\b/i.test(type))
    attachment.content_type = type;
}

/** The last step of the URL, without what no name of a file may hold. */
function nameIn(path: string): string | undefined {
  const last = new URL(path).pathname.split('/').at(-1) ?? '';
  const name = decoded(last)
    .replaceAll(/[/\\\p{Cc}]/gu, '')
    .trim();
  return name === '' ? undefined : name.slice(0, 200).toWellFormed();
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function wordsOf(error: Error, fetchMs: number): string {
  // What the clock ends is an AbortError while the server is asked, and a TimeoutError before.
  const isLate = /^(?:Timeout|Abort)Error$/.test(error.name);
  return isLate ? `not all of it came within ${fetchMs / 1000} seconds` : error.message;
}

const isAbsent = (value: unknown) => value === undefined || value === null || value === false;

const faultOf = (pointer: string, detail: string, received: string | null): Fault => ({
  in: 'body',
  pointer,
  detail,
  received: received?.slice(0, 200) ?? null,
});

// Asks DNS, with bounds: so many questions for one examination, so many at once, so long for each. Node's own resolver
// (c-ares) is used, not getaddrinfo: it neither reads /etc/hosts nor appends search domains, so it sees what others see.
import { Resolver } from 'node:dns/promises';
import { domainToASCII } from 'node:url';
import type { Answer, Lookup } from './answer.ts';

const timeoutMs = 2_500;
const tries = 2;
/** An examination asks some forty names; ten SPF records with their includes may double that. */
const mostQuestions = 250;
const atOnce = 8;
/** One answer keeps no more than this. A TXT set of 4 KB is already larger than some name servers can send. */
const mostOctets = 64 * 1024;

export type LookupSettings = {
  /** `IP` or `IP:PORT`; empty for the resolvers of the system. */
  readonly resolvers: readonly string[];
  readonly signal?: AbortSignal;
};

/**
 * Questions for one examination. They never reject: what could not be asked is `unknown`.
 *
 * @throws TypeError when `resolvers` holds what is no address
 */
export function openLookup({ resolvers, signal }: LookupSettings): Lookup {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  if (resolvers.length > 0) resolver.setServers(resolvers);
  signal?.addEventListener('abort', () => resolver.cancel(), { once: true });
  const known = new Map<string, Promise<Answer<never>>>();
  const turns = openTurns(atOnce);

  function ask<T>(type: string, name: string, question: (ascii: string) => Promise<readonly T[]>) {
    const ascii = asciiName(name);
    const key = `${type} ${ascii}`;
    const before = known.get(key) as Promise<Answer<T>> | undefined;
    if (before !== undefined) return before;
    const answer: Promise<Answer<T>> =
      ascii === ''
        ? Promise.resolve({ kind: 'absent', nameExists: false })
        : known.size >= mostQuestions
          ? Promise.resolve({ kind: 'unknown', why: `more than ${mostQuestions} questions to DNS` })
          : turns(() => answerOf(question(ascii), signal));
    known.set(key, answer as Promise<Answer<never>>);
    return answer;
  }

  return {
    txt: (name) =>
      ask('TXT', name, async (ascii) =>
        (await resolver.resolveTxt(ascii)).map((strings) => strings.join('')),
      ),
    mx: (name) =>
      ask('MX', name, async (ascii) =>
        (await resolver.resolveMx(ascii)).map(({ exchange, priority }) => ({
          exchange: exchange.toLowerCase(),
          preference: priority,
        })),
      ),
    async addresses(name) {
      const [four, six] = await Promise.all([
        ask('A', name, (ascii) => resolver.resolve4(ascii)),
        ask('AAAA', name, (ascii) => resolver.resolve6(ascii)),
      ]);
      return bothFamilies(four, six);
    },
    cname: (name) => ask('CNAME', name, (ascii) => resolver.resolveCname(ascii)),
    ns: (name) => ask('NS', name, (ascii) => resolver.resolveNs(ascii)),
  };
}

/** Without the trailing dot and in lower case; empty for what is no domain name. Underscores are kept. */
function asciiName(name: string): string {
  const bare = name.replace(/\.$/, '').toLowerCase();
  const ascii = /^[\x21-\x7e]+$/.test(bare) ? bare : domainToASCII(bare);
  const labels = ascii.split('.');
  return ascii.length <= 253 && labels.every((label) => label.length > 0 && label.length < 64) ? ascii : '';
}

async function answerOf<T>(asked: Promise<readonly T[]>, signal?: AbortSignal): Promise<Answer<T>> {
  try {
    const records = await asked;
    if (JSON.stringify(records).length > mostOctets)
      return { kind: 'unknown', why: 'an answer that is too large' };
    return records.length > 0 ? { kind: 'found', records } : { kind: 'absent', nameExists: true };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'no answer';
    if (code === 'ENODATA') return { kind: 'absent', nameExists: true };
    if (code === 'ENOTFOUND' && !signal?.aborted) return { kind: 'absent', nameExists: false };
    return { kind: 'unknown', why: failures[code] ?? code };
  }
}

/** c-ares' codes as a person would say them. A refused TCP connection is what follows an answer that UDP had to cut. */
const failures: Readonly<Record<string, string>> = {
  ESERVFAIL: 'the name server failed (SERVFAIL)',
  EREFUSED: 'the name server refuses to answer (REFUSED)',
  ETIMEOUT: 'no answer in time',
  ECONNREFUSED: 'the name server refused the connection; a large answer needs TCP port 53',
  EBADRESP: 'an answer that is no DNS',
  ECANCELLED: 'the examination was stopped',
};

function bothFamilies(four: Answer<string>, six: Answer<string>): Answer<string> {
  const found = [four, six].flatMap((answer) => (answer.kind === 'found' ? answer.records : []));
  if (found.length > 0) return { kind: 'found', records: found };
  const unknown = [four, six].find(({ kind }) => kind === 'unknown');
  return unknown ?? four;
}

/** Runs at most so many at once; the others wait in order. */
function openTurns(most: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

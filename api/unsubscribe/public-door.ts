// Whether PUBLIC_URL leads to this api: asked of itself, with a question that only a process with the key of this database
// can answer. Bounded: one request at a time, of at most three seconds; what it found lasts ten minutes, and what it did
// not find ten seconds. Where it once was found it may be silent for a day: a proxy that starts again is no other door.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { guardedRequest } from '../../deploy/guarded-request.ts';
import { openAddressPolicy } from '../../deploy/public-address.ts';

const longestMs = 3_000;
const foundLastsMs = 10 * 60_000;
const notFoundLastsMs = 10_000;
const silenceMs = 24 * 3_600_000;

export const proofPath = '/unsubscribe/proof';

/** The operator's own address: it may lie inside of the network. */
const anywhere = openAddressPolicy(['0.0.0.0/0', '::/0']);

export const proofOf = (key: Buffer, question: string): string =>
  createHmac('sha256', key).update(`proof ${question}`).digest('hex');

type Look = 'here' | { readonly elsewhere: string } | { readonly silent: string };

export type PublicDoor = {
  /** Undefined when it leads here, else why not, as the end of a sentence. */
  fault(): Promise<string | undefined>;
};

/** @param now milliseconds of any clock that does not go backwards */
export function openPublicDoor({
  publicUrl,
  key,
  now = () => performance.now(),
}: {
  publicUrl: string;
  key: Buffer;
  now?: () => number;
}): PublicDoor {
  let seenAt = Number.NEGATIVE_INFINITY;
  let last: { readonly at: number; readonly look: Look } | undefined;
  let looking: Promise<Look> | undefined;

  async function lookAgain(): Promise<Look> {
    const look = await lookAt(publicUrl, key);
    const at = now();
    if (look === 'here') seenAt = at;
    else if ('elsewhere' in look) seenAt = Number.NEGATIVE_INFINITY;
    last = { at, look };
    return look;
  }

  return {
    async fault() {
      if (!publicUrl.startsWith('https://')) return `PUBLIC_URL is not https: ${publicUrl}`;
      const lasts = last?.look === 'here' ? foundLastsMs : notFoundLastsMs;
      let look = last && now() - last.at < lasts ? last.look : undefined;
      if (!look) {
        looking ??= lookAgain().finally(() => {
          looking = undefined;
        });
        look = await looking;
      }
      if (look === 'here') return undefined;
      if ('elsewhere' in look) return `something else answers at PUBLIC_URL, ${publicUrl}: ${look.elsewhere}`;
      if (now() - seenAt < silenceMs) return undefined;
      return `nothing answers this process at PUBLIC_URL, ${publicUrl}: ${look.silent}`;
    },
  };
}

async function lookAt(publicUrl: string, key: Buffer): Promise<Look> {
  const question = randomBytes(16).toString('hex');
  try {
    const { status, body } = await guardedRequest(`${publicUrl}${proofPath}/${question}`, {
      method: 'GET',
      headers: { accept: 'text/plain', 'user-agent': 'Postern' },
      policy: anywhere,
      signal: AbortSignal.timeout(longestMs),
      mostBytes: 1_024,
    });
    const wanted = Buffer.from(proofOf(key, question));
    if (body.length === wanted.length && timingSafeEqual(body, wanted)) return 'here';
    // A proxy whose api is away says so; that is not another site.
    return status >= 500 ? { silent: `status ${status}` } : { elsewhere: `status ${status}` };
  } catch (error) {
    return { silent: (error as Error).message || String((error as { code?: unknown }).code) };
  }
}

// One request to a URL that somebody else chose. The name is looked up for this request, every address is checked, and
// only a checked one is dialled: between a check and a later look-up the name could lead elsewhere.
import { lookup } from 'node:dns';
import { type IncomingMessage, request as requestInClear } from 'node:http';
import { request as requestInTls } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy } from './public-address.ts';

export type GuardedRequest = {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly policy: AddressPolicy;
  /** Ends it, also while the answer arrives. */
  readonly signal: AbortSignal;
  /** What is read of the answer's body; the rest is not. */
  readonly mostBytes: number;
};

export type GuardedAnswer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};

/**
 * Redirects are not followed: they could lead where the URL may not. Certificates are always checked, and a connection
 * is never used again, so that every request looks the name up.
 *
 * @throws when no answer came, and when the URL leads where it must not
 */
export function guardedRequest(
  url: string,
  { method, headers, body, policy, signal, mostBytes }: GuardedRequest,
): Promise<GuardedAnswer> {
  const { protocol, hostname } = new URL(url);
  const isClear = protocol === 'http:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    if (isIP(host)) {
      const fault = faultOf(host, isClear, policy);
      // An address is dialled without a look-up.
      if (fault !== undefined) return reject(new Error(`${host} ${fault}`));
    }
    const request = (isClear ? requestInClear : requestInTls)(url, {
      method,
      headers,
      signal,
      agent: false,
      lookup: checkedLookup(isClear, policy),
      ...(!isClear && { rejectUnauthorized: true }),
    });
    request.on('response', (response) => {
      readStart(response, mostBytes).then(
        (start) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: start }),
        reject,
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

function checkedLookup(isClear: boolean, policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const permitted = addresses.filter(({ address }) => faultOf(address, isClear, policy) === undefined);
      const [first] = permitted;
      if (!first) {
        const [refused] = addresses;
        const fault = refused ? `${refused.address} ${faultOf(refused.address, isClear, policy)}` : 'nothing';
        return callback(new Error(`${hostname} leads to ${fault}`), '');
      }
      if (options.all) callback(null, permitted);
      else callback(null, first.address, first.family);
    });
  };
}

function faultOf(address: string, isClear: boolean, policy: AddressPolicy): string | undefined {
  const fault = policy.faultOf(address);
  if (fault !== undefined) return fault;
  return isClear && !policy.isPermitted(address)
    ? 'is public, and http:// is only for addresses that WEBHOOK_ALLOW_PRIVATE permits'
    : undefined;
}

async function readStart(response: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    // Leaving the loop closes the connection.
    if (bytes >= mostBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, mostBytes);
}

// Requests that only the pages of the dashboard may make.
import type { Request } from 'express';
import { Problem } from '../problem.ts';

/**
 * Throws `forbidden` unless the request comes from a page of ours. SameSite keeps other sites out, but not another
 * host of the same site; a header of our own cannot be sent from there without being asked for first, and browsers
 * that say where a request comes from are heeded.
 */
export function refuseOtherOrigins(request: Request): void {
  const site = request.get('sec-fetch-site');
  const isOurs = site === undefined ? isSameOrigin(request) : site === 'same-origin' || site === 'none';
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  if (isOurs && (isReading || request.get('x-postern-dashboard') !== undefined)) return;
  throw new Problem('forbidden', 'The dashboard accepts requests only from its own pages.');
}

function isSameOrigin(request: Request): boolean {
  const origin = request.get('origin');
  if (origin === undefined) return true;
  // `host` is what the browser said, or what a proxy of TRUSTED_PROXIES says that it said.
  return URL.canParse(origin) && new URL(origin).host === request.host;
}

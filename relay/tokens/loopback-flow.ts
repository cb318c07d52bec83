// The flow for a program on a person's machine (RFC 8252, with PKCE of RFC 7636): the browser brings the code to a port
// that only this machine reaches.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OAuth2Reading } from '../../deploy/oauth2.ts';
import { granted, type Permission, saysIn } from './device-flow.ts';
import { postForm } from './post-form.ts';
import { readTokenAnswer } from './token-answer.ts';
import { clientProof } from './token-request.ts';

type Asking = {
  readonly authorities: readonly string[];
  readonly signal: AbortSignal;
  /** The address that the browser ended at, typed by a person whose browser is on another machine. */
  readonly pasted: Promise<string>;
};

/** @param show tells the person which page to open */
export async function askByLoopback(
  oauth2: OAuth2Reading,
  authorizeUrl: string,
  { authorities, signal, pasted }: Asking,
  show: (page: string) => void,
): Promise<Permission> {
  const state = randomBytes(16).toString('base64url');
  const verifier = randomBytes(32).toString('base64url');
  await using door = await openDoor();
  const page = new URL(authorizeUrl);
  page.search = new URLSearchParams({
    client_id: oauth2.clientId ?? '',
    redirect_uri: door.address,
    response_type: 'code',
    scope: oauth2.scope,
    state,
    // Only so is a refresh token given, also to somebody who has allowed it before.
    access_type: 'offline',
    prompt: 'consent',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  show(page.toString());

  const back = await Promise.race([door.visited, pasted.then(paramsIn), aborted(signal)]);
  if (back.get('state') !== state) return { refusal: 'The answer belongs to another request' };
  const code = back.get('code');
  if (!code) return { refusal: `Not allowed: ${back.get('error') ?? 'no code came back'}` };
  const proof = clientProof(oauth2, Date.now());
  const answer = readTokenAnswer(
    await postForm(
      oauth2.tokenUrl,
      {
        grant_type: 'authorization_code',
        code,
        redirect_uri: door.address,
        code_verifier: verifier,
        ...proof,
      },
      { authorities, timeoutMs: 15_000, signal },
    ),
    [code, ...Object.values(proof)],
  );
  return 'refusal' in answer ? { refusal: saysIn(answer) } : granted(answer.refreshToken);
}

const paramsIn = (address: string) => URL.parse(address.trim())?.searchParams ?? new URLSearchParams();

/** A browser asks for its icon as well: only a visit that brings an answer counts. */
async function openDoor() {
  const visit = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://here');
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    response.end('You can close this page and go back to the terminal.\n');
    if (searchParams.has('code') || searchParams.has('error')) visit.resolve(searchParams);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    visited: visit.promise,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
}

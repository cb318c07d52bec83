// Asking the api: same origin, the session's cookie, and every refusal as a Problem with the words of the answer.

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail ?? body?.title ?? `The api answered ${status}.`);
    this.status = status;
    this.body = body ?? {};
  }
}

let onSignedOut = () => {};

/** What to do when the session is over. */
export function whenSignedOut(does) {
  onSignedOut = does;
}

/** `type`: of a body that is no JSON. Resolves with the answer's JSON (undefined when there is none). Rejects with a Problem. */
export async function ask(path, { method = 'GET', body, type, signal, keepalive } = {}) {
  const options = { method, headers: { accept: 'application/json' }, signal, keepalive };
  if (method !== 'GET') {
    options.headers['x-postern-dashboard'] = '1';
    if (method === 'POST')
      options.headers['idempotency-key'] = crypto.randomUUID?.() ?? String(Math.random());
  }
  if (body !== undefined) {
    options.headers['content-type'] = type ?? 'application/json';
    options.body = type ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, { detail: 'The api does not answer. It may be restarting; nothing was changed.' });
  }
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  const answer = isJson && text !== '' ? JSON.parse(text) : undefined;
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/dashboard/sign-in') onSignedOut();
  throw new Problem(response.status, answer);
}

/** `?a=1&b=2` of what is neither empty nor undefined. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== '' && value !== null,
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

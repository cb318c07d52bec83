// Who is signed in to the dashboard: one password, sessions that end, and a cookie that other sites cannot use.
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Request, Response } from 'express';
import type { Queryable } from '../../deploy/database.ts';
import type { Principal } from '../authenticate.ts';
import { networkOf } from '../network.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { CountRefused } from '../sign-in-measures.ts';

const lastsHours = 12;
const sessionCookie = 'postern_session';
// A browser that signed in before is not kept out by strangers who guess. It says so itself, in a cookie that only we
// can write and that opens nothing.
const browserCookie = 'postern_browser';
const browserLastsDays = 400;

// OWASP's lowest recommendation for scrypt: about 60 ms, with 32 MB that one guess at a time may have.
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
// Not a secret: it only keeps this derivation apart from all others of the same password.
const salt = 'postern dashboard';

// A person mistypes three times; a machine that guesses gets this far in a minute, whatever addresses it has.
const guessesPerMinute = { ofOneNetwork: 10, ofEverybody: 60, ofOneBrowser: 10 };

/** Whoever is signed in may do everything, under the limits of a key. */
export const administrator: Principal = {
  id: 'dashboard',
  apiKeyId: undefined,
  scopes: ['admin'],
  ratePerMinute: undefined,
};

export type Sessions = {
  /** Checks the password and sets the cookie. Throws `unauthenticated`, or `rate-limited` after too many guesses. */
  signIn(request: Request, response: Response, password: string): Promise<void>;
  signOut(request: Request, response: Response): Promise<void>;
  /** Whether the request carries the cookie of a session that lasts. */
  isSignedIn(request: Request): Promise<boolean>;
  /** What the session of the request is known by, whether it lasts or not. */
  idOf(request: Request): Promise<string | undefined>;
  /** Which of these sessions last. */
  lasting(ids: readonly string[]): Promise<Set<string>>;
};

const derive = promisify<string, string, number, typeof cost, Buffer>(scrypt);

/** @param password ADMIN_PASSWORD; with another one all sessions are over */
export function openSessions({
  database,
  password,
  limit,
  refused = () => {},
}: {
  database: Queryable;
  password: string;
  limit: RateLimit;
  refused?: CountRefused | undefined;
}): Sessions {
  const key = derive(password, salt, 32, cost);
  // Whoever waits for it hears of it; until then nobody has to.
  key.catch(() => {});
  // One at a time, so that guessing takes neither the memory nor the processor from the mail.
  let turn: Promise<unknown> = key;

  function guess(given: string): Promise<Buffer> {
    const mine = turn.then(() => derive(given, salt, 32, cost));
    turn = mine.catch(() => {});
    return mine;
  }

  const hashOf = async (token: string) =>
    createHmac('sha256', await key)
      .update(token)
      .digest();

  const signed = async (id: string) => `${id}.${(await hashOf(`browser ${id}`)).toString('base64url')}`;

  /** The browser that signed in before, under the password of today. */
  async function knownBrowser(request: Request): Promise<string | undefined> {
    const value = readCookie(request, browserCookie);
    const id = value?.split('.')[0];
    if (value === undefined || id === undefined || !/^[\w-]{22}$/.test(id)) return undefined;
    const [given, wanted] = [Buffer.from(value), Buffer.from(await signed(id))];
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? id : undefined;
  }

  async function permitGuess(request: Request, browser: string | undefined): Promise<void> {
    try {
      if (browser !== undefined) {
        await limit(`sign-in:browser:${browser}`, guessesPerMinute.ofOneBrowser);
      } else {
        await limit(`sign-in:${networkOf(request.ip ?? '')}`, guessesPerMinute.ofOneNetwork);
        await limit('sign-in', guessesPerMinute.ofEverybody);
      }
    } catch (error) {
      if (error instanceof Problem) refused('throttled');
      throw error;
    }
  }

  return {
    async signIn(request, response, given) {
      const browser = await knownBrowser(request);
      await permitGuess(request, browser);
      if (!timingSafeEqual(await guess(given), await key)) {
        refused('wrong');
        throw new Problem('unauthenticated', 'That is not the password. It is ADMIN_PASSWORD of the api.');
      }
      const token = randomBytes(32).toString('base64url');
      await database.query(
        `with over as (delete from dashboard_session where expires_at < now())
         insert into dashboard_session (token_hash, expires_at) values ($1, now() + make_interval(hours => $2))`,
        [await hashOf(token), lastsHours],
      );
      setCookie(request, response, sessionCookie, token, lastsHours * 3600);
      const id = browser ?? randomBytes(16).toString('base64url');
      setCookie(request, response, browserCookie, await signed(id), browserLastsDays * 86_400);
    },
    async signOut(request, response) {
      const token = readToken(request);
      if (token !== undefined) {
        await database.query('delete from dashboard_session where token_hash = $1', [await hashOf(token)]);
      }
      setCookie(request, response, sessionCookie, '', 0);
    },
    async isSignedIn(request) {
      const token = readToken(request);
      if (token === undefined) return false;
      const { rowCount } = await database.query({
        name: 'dashboard-session',
        text: 'select 1 from dashboard_session where token_hash = $1 and expires_at > now()',
        values: [await hashOf(token)],
      });
      return rowCount > 0;
    },
    async idOf(request) {
      const token = readToken(request);
      return token === undefined ? undefined : (await hashOf(token)).toString('hex');
    },
    async lasting(ids) {
      const { rows } = await database.query<{ id: string }>({
        name: 'dashboard-sessions',
        text: `select encode(token_hash, 'hex') as id from dashboard_session
               where token_hash in (select decode(id, 'hex') from unnest($1::text[]) id) and expires_at > now()`,
        values: [ids],
      });
      return new Set(rows.map(({ id }) => id));
    },
  };
}

function readToken(request: Request): string | undefined {
  const token = readCookie(request, sessionCookie);
  return token !== undefined && /^[\w-]{43}$/.test(token) ? token : undefined;
}

/** Behind TLS the browser itself sees to it that no other host of the site can have set it (RFC 6265bis, `__Host-`). */
const named = (name: string, isSecure: boolean) => (isSecure ? `__Host-${name}` : name);

function readCookie(request: Request, name: string): string | undefined {
  const cookies = (request.get('cookie') ?? '').split(';').map((cookie) => cookie.trim());
  const given = (wanted: string) =>
    cookies.find((cookie) => cookie.startsWith(`${wanted}=`))?.slice(wanted.length + 1);
  return given(named(name, true)) ?? (request.secure ? undefined : given(named(name, false)));
}

function setCookie(request: Request, response: Response, name: string, value: string, seconds: number): void {
  // What the browser sees decides, not what a proxy leaves of it on its way to us.
  const isSecure = request.secure || (request.get('origin') ?? '').startsWith('https:');
  response.append(
    'set-cookie',
    `${named(name, isSecure)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${isSecure ? '; Secure' : ''}`,
  );
}

/**
 * Throws `forbidden` unless the request comes from a page of ours. SameSite keeps other sites out, but not another
 * host of the same site; a header of our own cannot be sent from there without being asked for first, and browsers
 * that say where a request comes from are heeded.
 */
export function refuseStrangers(request: Request): void {
  const site = request.get('sec-fetch-site');
  const isOurs = site === undefined ? isSameOrigin(request) : site === 'same-origin' || site === 'none';
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  if (isOurs && (isReading || request.get('x-postern-dashboard') !== undefined)) return;
  throw new Problem('forbidden', 'The dashboard only takes requests from its own pages.');
}

function isSameOrigin(request: Request): boolean {
  const origin = request.get('origin');
  if (origin === undefined) return true;
  // `host` is what the browser said, or what a proxy of TRUSTED_PROXIES says that it said.
  return URL.canParse(origin) && new URL(origin).host === request.host;
}

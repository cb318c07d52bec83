// Who is signed in to the dashboard: one password, sessions that end, and a cookie that other sites cannot use.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import type { Queryable } from '../../deploy/database.ts';
import type { Principal } from '../authenticate.ts';
import { networkOf } from '../network.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { CountRefused } from '../sign-in-measures.ts';
import { readCookie, setCookie } from './cookies.ts';
import { openPasswordCheck } from './password.ts';
import { deleteSession, findValidSessions, insertSession, isValidSession } from './session-store.ts';

const lastsHours = 12;
const sessionCookie = 'postern_session';
// A browser that signed in before is not kept out by strangers who guess. It says so itself, in a cookie that only we
// can write and that opens nothing.
const browserCookie = 'postern_browser';
const browserLastsDays = 400;

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
  /** Whether the request carries the cookie of a valid session. */
  isSignedIn(request: Request): Promise<boolean>;
  /** What the session of the request is known by, whether it is valid or not. */
  idOf(request: Request): Promise<string | undefined>;
  /** Which of these sessions are valid. */
  validOf(ids: readonly string[]): Promise<Set<string>>;
};

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
  const { key, matches } = openPasswordCheck(password);

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

  return {
    async signIn(request, response, given) {
      const browser = await knownBrowser(request);
      await permitGuess(request, browser, { limit, refused });
      if (!(await matches(given))) {
        refused('wrong');
        throw new Problem('unauthenticated', 'Wrong password. It is the value of ADMIN_PASSWORD of the api.');
      }
      const token = randomBytes(32).toString('base64url');
      await insertSession(database, await hashOf(token), lastsHours);
      setCookie(request, response, sessionCookie, token, lastsHours * 3600);
      const id = browser ?? randomBytes(16).toString('base64url');
      setCookie(request, response, browserCookie, await signed(id), browserLastsDays * 86_400);
    },
    async signOut(request, response) {
      const token = readToken(request);
      if (token !== undefined) await deleteSession(database, await hashOf(token));
      setCookie(request, response, sessionCookie, '', 0);
    },
    async isSignedIn(request) {
      const token = readToken(request);
      return token !== undefined && isValidSession(database, await hashOf(token));
    },
    async idOf(request) {
      const token = readToken(request);
      return token === undefined ? undefined : (await hashOf(token)).toString('hex');
    },
    validOf: (ids) => findValidSessions(database, ids),
  };
}

/** Counts a guess. Throws `rate-limited` after too many. */
async function permitGuess(
  request: Request,
  browser: string | undefined,
  { limit, refused }: { limit: RateLimit; refused: CountRefused },
): Promise<void> {
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

function readToken(request: Request): string | undefined {
  const token = readCookie(request, sessionCookie);
  return token !== undefined && /^[\w-]{43}$/.test(token) ? token : undefined;
}

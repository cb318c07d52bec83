// Who is signed in to the dashboard: by ADMIN_PASSWORD or as a named user, with sessions that end, and a cookie that other
// sites cannot use.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import type { Database, Queryable } from '../../deploy/database.ts';
import { namedPerson } from '../audit/actor.ts';
import { writeEntry, writeRefusedSignIn } from '../audit/write.ts';
import type { Principal } from '../authenticate.ts';
import { networkOf } from '../network.ts';
import { isPassword } from '../people/password.ts';
import { isPersonName } from '../people/person.ts';
import { administrator, type Person, seesContent } from '../people/role.ts';
import { findPasswordOf } from '../people/store.ts';
import { Problem } from '../problem.ts';
import type { RateLimit } from '../rate-limit.ts';
import type { CountRefused } from '../sign-in-measures.ts';
import { readCookie, setCookie } from './cookies.ts';
import { openPasswordCheck } from './password.ts';
import { deleteSession, findSignedIn, findValidSessions, insertSession } from './session-store.ts';

const lastsHours = 12;
const sessionCookie = 'postern_session';
// A browser that signed in before is not kept out by strangers who guess. It says so itself, in a cookie that only we
// can write and that opens nothing.
const browserCookie = 'postern_browser';
const browserLastsDays = 400;

// A person mistypes three times; a machine that guesses gets this far in a minute, whatever addresses it has.
const guessesPerMinute = { ofOneNetwork: 10, ofEverybody: 60, ofOneBrowser: 10, ofOneName: 20 };

/**
 * Whoever is signed in, for the API: under the limits of a key, and within the rights of the role, which were looked at
 * before (api/people/rights.ts). `view` gets no more than the scope `read`, so no handler shows it what a mail says.
 */
export const principalOf = (person: Person): Principal => ({
  id: person.id === null ? 'dashboard' : `person:${person.id}`,
  apiKeyId: undefined,
  scopes: seesContent(person) ? ['admin'] : ['read'],
  ratePerMinute: undefined,
  person,
});

export type Credentials = {
  /** Without one, or as admin: ADMIN_PASSWORD. */
  readonly name?: string | undefined;
  readonly password: string;
};

/** How the cookie is set; where it is not told, as the request came. */
type Cookie = { readonly isSecure: boolean };

export type Sessions = {
  /** Checks the password and sets the cookie. Throws `unauthenticated`, or `rate-limited` after too many guesses. */
  signIn(request: Request, response: Response, given: Credentials): Promise<void>;
  /** Sets the cookie for somebody who is known already. @param userId null for whoever knows ADMIN_PASSWORD */
  begin(request: Request, response: Response, userId: string | null, how?: Cookie): Promise<void>;
  /** Signs what a browser keeps, under the password of today. */
  sign(text: string): Promise<string>;
  signOut(request: Request, response: Response): Promise<void>;
  /** Who sent the request, by the cookie of a valid session. */
  personOf(request: Request): Promise<Person | undefined>;
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
  database: Database;
  password: string;
  limit: RateLimit;
  refused?: CountRefused | undefined;
}): Sessions {
  const { key, matches } = openPasswordCheck(password);

  const hashOf = async (token: string) =>
    createHmac('sha256', await key)
      .update(token)
      .digest();

  const sign = async (text: string) => (await hashOf(text)).toString('base64url');
  const browsers = openBrowsers(sign);

  async function begin(
    request: Request,
    response: Response,
    userId: string | null,
    how?: Cookie,
  ): Promise<void> {
    // Processes of 0.1.0 take every session for that of an admin, but no token of this form.
    const token = `${userId === null ? '' : userMark}${randomBytes(32).toString('base64url')}`;
    const hash = await hashOf(token);
    await database.transaction(async (tx) => {
      await insertSession(tx, hash, { userId, lastsHours });
      await writeEntry(tx, {
        actor: { kind: userId === null ? 'admin' : 'person', id: userId },
        act: 'sign-in',
      });
    });
    setCookie(request, response, sessionCookie, token, lastsHours * 3600, how);
    await browsers.remember(request, response, how);
  }

  async function end(hash: Buffer): Promise<void> {
    await database.transaction(async (tx) => {
      const person = await findSignedIn(tx, hash);
      await deleteSession(tx, hash);
      if (person) await writeEntry(tx, { actor: namedPerson(person), act: 'sign-out' });
    });
  }

  return {
    async signIn(request, response, { name, password: given }) {
      const user = isAdministrator(name) ? undefined : name;
      await permitGuess(request, { browser: await browsers.known(request), user, limit, refused });
      const known = user === undefined ? await adminOf(given, matches) : await userOf(database, user, given);
      if (known.isIn) return begin(request, response, known.userId);
      refused('wrong');
      await writeRefusedSignIn(database, known.userId);
      throw new Problem('unauthenticated', user === undefined ? wrongAdminPassword : wrongPassword);
    },
    begin,
    sign,
    async signOut(request, response) {
      const token = readToken(request);
      if (token !== undefined) await end(await hashOf(token));
      setCookie(request, response, sessionCookie, '', 0);
    },
    async personOf(request) {
      const token = readToken(request);
      return token === undefined ? undefined : findSignedIn(database, await hashOf(token));
    },
    async idOf(request) {
      const token = readToken(request);
      return token === undefined ? undefined : (await hashOf(token)).toString('hex');
    },
    validOf: (ids) => findValidSessions(database, ids),
  };
}

/** The browsers that signed in before, under the password of today. */
function openBrowsers(sign: (text: string) => Promise<string>) {
  const signed = async (id: string) => `${id}.${await sign(`browser ${id}`)}`;

  async function known(request: Request): Promise<string | undefined> {
    const value = readCookie(request, browserCookie);
    const id = value?.split('.')[0];
    if (value === undefined || id === undefined || !/^[\w-]{22}$/.test(id)) return undefined;
    const [given, wanted] = [Buffer.from(value), Buffer.from(await signed(id))];
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? id : undefined;
  }

  return {
    known,
    async remember(request: Request, response: Response, how?: Cookie): Promise<void> {
      const id = (await known(request)) ?? randomBytes(16).toString('base64url');
      setCookie(request, response, browserCookie, await signed(id), browserLastsDays * 86_400, how);
    },
  };
}

const userMark = 'u';

const isAdministrator = (name: string | undefined) =>
  name === undefined || name === '' || name.toLowerCase() === administrator.name;

/** Who that is, and whether the password is right. */
type Recognised =
  | { readonly isIn: true; readonly userId: string | null }
  | { readonly isIn: false; readonly userId: string | undefined };

const adminOf = async (
  given: string,
  matches: (password: string) => Promise<boolean>,
): Promise<Recognised> =>
  (await matches(given)) ? { isIn: true, userId: null } : { isIn: false, userId: undefined };

async function userOf(q: Queryable, name: string, given: string): Promise<Recognised> {
  const known = isPersonName(name) ? await findPasswordOf(q, name) : undefined;
  const isRight = await isPassword(given, known);
  return known && isRight && !known.isDisabled
    ? { isIn: true, userId: known.id }
    : { isIn: false, userId: known?.id };
}

const wrongAdminPassword = 'Wrong password. It is the value of ADMIN_PASSWORD of the api.';

const wrongPassword =
  'Wrong name or password, or the user is disabled. An admin can make a new password on the page People.';

/** Counts a guess. Throws `rate-limited` after too many. */
async function permitGuess(
  request: Request,
  {
    browser,
    user,
    limit,
    refused,
  }: {
    browser: string | undefined;
    user: string | undefined;
    limit: RateLimit;
    refused: CountRefused;
  },
): Promise<void> {
  try {
    if (browser !== undefined) {
      await limit(`sign-in:browser:${browser}`, guessesPerMinute.ofOneBrowser);
    } else {
      await limit(`sign-in:${networkOf(request.ip ?? '')}`, guessesPerMinute.ofOneNetwork);
      await limit('sign-in', guessesPerMinute.ofEverybody);
      if (user !== undefined) await limit(`sign-in:name:${digestOf(user)}`, guessesPerMinute.ofOneName);
    }
  } catch (error) {
    if (error instanceof Problem) refused('throttled');
    throw error;
  }
}

/** What somebody typed may be a password. */
const digestOf = (name: string) => createHash('sha256').update(name.toLowerCase()).digest('hex').slice(0, 32);

function readToken(request: Request): string | undefined {
  const token = readCookie(request, sessionCookie);
  return token !== undefined && /^u?[\w-]{43}$/.test(token) ? token : undefined;
}

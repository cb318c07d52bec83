// Signing in by OpenID Connect: to the identity provider, back again, and a plain page for everything that can go wrong.
import { timingSafeEqual } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import type { Database } from '../../../deploy/database.ts';
import type { Log } from '../../../deploy/log.ts';
import type { OidcSettings } from '../../../deploy/oidc.ts';
import { readCookie, setCookie } from '../../dashboard/cookies.ts';
import type { Sessions } from '../../dashboard/session.ts';
import { networkOf } from '../../network.ts';
import { sendPage } from '../../pages/page.ts';
import type { RateLimit } from '../../rate-limit.ts';
import type { CountRefused } from '../../sign-in-measures.ts';
import { escapeHtml } from '../../templates/render.ts';
import { failureOf, type OidcFailure } from './failure.ts';
import { type Checks, openOidcProvider, ProviderFailure } from './provider.ts';
import { nameOf, roleOf, valuesOf } from './role-of.ts';
import { admit } from './store.ts';

export type OidcRoutes = typeof oidcRoutes;

const way = '/oidc/callback';
const cookieName = 'postern_oidc';
const lastsSeconds = 600;
const perMinute = 30;

type Begun = Checks & { readonly to: string; readonly until: number };

export function oidcRoutes({
  settings,
  publicUrl,
  database,
  sessions,
  limit,
  log,
  refused,
}: {
  settings: OidcSettings;
  publicUrl: string;
  database: Database;
  sessions: Sessions;
  limit: RateLimit;
  log: Log;
  refused: CountRefused;
}): Router {
  const redirectUri = publicUrl.replace(/\/$/, '') + way;
  const provider = openOidcProvider(settings, redirectUri);
  const asked = { issuer: settings.issuer, redirectUri };
  const isSecure = redirectUri.startsWith('https:');
  const cookies = openCookie(sessions.sign, isSecure);
  // Told at the start, where somebody who sets this up is looking.
  provider.begin().catch((error) => tell(failureOf(error.cause, asked)));

  function tell({ name, title, detail, fix }: OidcFailure): void {
    log.warn({ event: 'oidc-failed', failure: name, detail, fix }, title);
  }

  function refuse(response: Response, failure: OidcFailure, status = 403): void {
    refused('wrong');
    tell(failure);
    sendFailure(response, failure, status);
  }

  async function finish(request: Request, response: Response): Promise<void> {
    const begun = await cookies.take(request, response);
    if (!begun) return refuse(response, notBegun(redirectUri), 400);
    const query = new URLSearchParams(request.originalUrl.split('?')[1] ?? '');
    const claims = await provider.finish(query, begun);
    const role = roleOf(claims, settings);
    if (!role) return refuse(response, noRole(valuesOf(claims, settings.roleClaim), settings));
    const { iss: issuer, sub: subject } = claims;
    const id = await admit(database, { issuer, subject, name: nameOf(claims), role });
    if (id === undefined) return refuse(response, disabled);
    await sessions.begin(request, response, id, { isSecure });
    // The cookie of the session goes with requests from our own pages only, and the browser came from elsewhere.
    sendPage(response.set('refresh', `0; url=${begun.to}`), {
      title: 'Signed in',
      body: `<h1>Signed in</h1><p><a href="${escapeHtml(begun.to)}">To the dashboard</a></p>`,
    });
  }

  /** What goes wrong at the provider is told on a page; our own problems say it themselves. */
  const failing =
    (work: (request: Request, response: Response) => Promise<void>) =>
    async (request: Request, response: Response) => {
      response.set('cache-control', 'no-store');
      await limit(`oidc:${networkOf(request.ip ?? '')}`, perMinute).catch((error) => {
        refused('throttled');
        throw error;
      });
      await work(request, response).catch((error) => {
        if (!(error instanceof ProviderFailure)) throw error;
        refuse(response, failureOf(error.cause, asked), 502);
      });
    };

  const router = Router();
  router.get(
    '/oidc/start',
    failing(async (request, response) => {
      const { url, checks } = await provider.begin();
      await cookies.give(request, response, { ...checks, to: pathOf(request.query.to) });
      response.redirect(302, url);
    }),
  );
  router.get(way, failing(finish));
  return router;
}

/** A place in the dashboard, never another host. */
const pathOf = (given: unknown) =>
  typeof given === 'string' && /^\/(?![/\\])[\w/.~?=&%:@+-]{0,1000}$/.test(given) ? given : '/';

/** What the browser has to bring back, signed: it may come back to another replica. */
function openCookie(sign: Sessions['sign'], isSecure: boolean) {
  return {
    async give(request: Request, response: Response, begun: Omit<Begun, 'until'>): Promise<void> {
      const until = Date.now() + lastsSeconds * 1000;
      const text = Buffer.from(JSON.stringify({ ...begun, until })).toString('base64url');
      const value = `${text}.${await sign(`oidc ${text}`)}`;
      setCookie(request, response, cookieName, value, lastsSeconds, { isSecure, sameSite: 'Lax' });
    },
    /** Once: it is removed. */
    async take(request: Request, response: Response): Promise<Begun | undefined> {
      const [text = '', signature = ''] = (readCookie(request, cookieName) ?? '').split('.');
      setCookie(request, response, cookieName, '', 0, { isSecure, sameSite: 'Lax' });
      const wanted = Buffer.from(await sign(`oidc ${text}`));
      const given = Buffer.from(signature);
      if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return undefined;
      const begun = JSON.parse(Buffer.from(text, 'base64url').toString()) as Begun;
      return begun.until > Date.now() ? begun : undefined;
    },
  };
}

const notBegun = (redirectUri: string): OidcFailure => ({
  name: 'oidc-not-begun',
  title: 'This sign-in was not begun in this browser, or took longer than ten minutes',
  detail: 'The cookie of the sign-in is missing or too old.',
  fix: `Open the dashboard at ${new URL(redirectUri).origin}, which is PUBLIC_URL of the api, and sign in there.`,
});

const disabled: OidcFailure = {
  name: 'oidc-disabled',
  title: 'This user is disabled',
  detail: 'The identity provider lets you in, and an admin of Postern has disabled you.',
  fix: 'An admin can enable you on the page People.',
};

function noRole(values: readonly string[], { roleClaim }: OidcSettings): OidcFailure {
  const shown = values.slice(0, 20).join(', ');
  return {
    name: 'oidc-no-role',
    title: 'You have no role here',
    detail:
      values.length > 0
        ? `The claim ${roleClaim} says of you: ${shown}. None of it is in OIDC_ROLES.`
        : `The identity provider says nothing of you in the claim ${roleClaim}${roleClaim === 'email' ? ', or does not call the address verified' : ''}.`,
    fix: 'Let the identity provider put you into a group that OIDC_ROLES of the api names, or let somebody change OIDC_ROLES.',
  };
}

function sendFailure(response: Response, { title, detail, fix }: OidcFailure, status: number): void {
  sendPage(response, {
    title: 'Sign-in failed',
    status,
    body:
      `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(detail.slice(0, 2_000))}</p>` +
      `<p><strong>Do this:</strong> ${escapeHtml(fix)}</p><p><a href="/">To the sign-in</a></p>`,
  });
}

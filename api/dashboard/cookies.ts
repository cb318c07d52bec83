// The cookies of the dashboard: other sites cannot use them, and scripts cannot read them.
import type { Request, Response } from 'express';

/** Behind TLS the browser itself sees to it that no other host of the site can have set it (RFC 6265bis, `__Host-`). */
const named = (name: string, isSecure: boolean) => (isSecure ? `__Host-${name}` : name);

export function readCookie(request: Request, name: string): string | undefined {
  const cookies = (request.get('cookie') ?? '').split(';').map((cookie) => cookie.trim());
  const given = (wanted: string) =>
    cookies.find((cookie) => cookie.startsWith(`${wanted}=`))?.slice(wanted.length + 1);
  return given(named(name, true)) ?? (request.secure ? undefined : given(named(name, false)));
}

export function setCookie(
  request: Request,
  response: Response,
  name: string,
  value: string,
  seconds: number,
  {
    isSecure: isKnownSecure = false,
    sameSite = 'Strict',
  }: {
    /** Where the address is known to be one of https. */
    isSecure?: boolean;
    /** Lax comes also from another site, with a link. */
    sameSite?: 'Strict' | 'Lax';
  } = {},
): void {
  // What the browser sees decides, not what a proxy leaves of it on its way to us.
  const isSecure = isKnownSecure || request.secure || (request.get('origin') ?? '').startsWith('https:');
  response.append(
    'set-cookie',
    `${named(name, isSecure)}=${value}; Path=/; HttpOnly; SameSite=${sameSite}; Max-Age=${seconds}${isSecure ? '; Secure' : ''}`,
  );
}

// TLS to PostgreSQL: what the address asks for, in the words of libpq, and how it is done. The words are stricter here:
// whoever asks for TLS gets a checked certificate, unless the address says no-verify.

type Outcome = { readonly url: string } | { readonly contradiction: string };

/**
 * The address as pg shall read it. `require` and `prefer` are checked as `verify-full` is, certificate and host name.
 * `verify-ca` leaves the host name out, where there is an authority of one's own: with the public ones anybody can get
 * a certificate for some name.
 */
export function withTls(url: string, caFile: string | undefined): Outcome {
  const address = new URL(url);
  const asked = address.searchParams;
  const mode = asked.get('sslmode');
  // libpq's word for the authorities that the system trusts, which are those of Node here.
  const isSystem = asked.get('sslrootcert') === 'system';
  if (isSystem) asked.delete('sslrootcert');
  if (caFile !== undefined) {
    if (isSystem || asked.has('sslrootcert')) return { contradiction: 'names an authority in sslrootcert' };
    const unchecked = [mode, asked.get('ssl')].find((word) => withoutCheck.has(word ?? ''));
    if (unchecked) return { contradiction: `asks for no check (${unchecked})` };
    asked.set('sslrootcert', caFile);
  }
  // Somebody who knows this word of pg wants libpq's own meaning.
  const isAsLibpq = asked.get('uselibpqcompat') === 'true';
  const hasAuthority = asked.has('sslrootcert');
  if (mode === 'verify-ca' && hasAuthority) asked.set('uselibpqcompat', 'true');
  else if (!isAsLibpq && (aliases.has(mode ?? '') || (mode === null && (hasAuthority || isSystem))))
    asked.set('sslmode', 'verify-full');
  return { url: asked.toString() === new URL(url).searchParams.toString() ? url : address.href };
}

const withoutCheck = new Set(['disable', 'no-verify', 'false', '0']);
const aliases = new Set(['allow', 'prefer', 'require', 'verify-ca']);

/** What OpenSSL and pg say when TLS to the server fails however often it is tried. */
const certificateCodes =
  /^(?:CERT_|ERR_TLS_CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(?:VERIFY|GET_ISSUER|GET_ISSUER_CERT))/;

/** What to do about the certificate or the missing TLS; undefined for every other error. */
export function whyNoTls(error: unknown): { problem: string; fix: string } | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: string };
  if (typeof code === 'string' && certificateCodes.test(code)) {
    return {
      problem: `leads to a server whose certificate cannot be checked: ${message}`,
      fix:
        code === 'ERR_TLS_CERT_ALTNAME_INVALID'
          ? 'Use the host name that the certificate is for, or, with DATABASE_CA_FILE, sslmode=verify-ca, which leaves the name out.'
          : 'Set DATABASE_CA_FILE to a PEM file with the authority of the database; its operator offers it for download.',
    };
  }
  if (message === 'The server does not support SSL connections') {
    return {
      problem: 'asks for TLS, and the server has none',
      fix: 'Switch TLS on in PostgreSQL, or remove sslmode and DATABASE_CA_FILE where nobody else is on the way.',
    };
  }
  if (/\bno encryption$|sslmode=require/.test(message ?? '')) {
    return {
      problem: `asks for no TLS, and the server refuses that: ${message}`,
      fix: 'Add ?sslmode=verify-full to the address, or set DATABASE_CA_FILE where the authority is a private one.',
    };
  }
  return undefined;
}

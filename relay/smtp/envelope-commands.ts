// MAIL and RCPT with everything that the provider offers and the mail needs: SIZE (RFC 1870), 8BITMIME (RFC 6152),
// SMTPUTF8 (RFC 6531 section 3.4), and what the submitter wants to hear, as it came (RFC 3461 section 5.2.1). Pure.

export type DsnRequest = {
  readonly ret: string | null;
  readonly envid: string | null;
  /** By address. */
  readonly recipients: ReadonlyMap<string, { readonly notify: string | null; readonly orcpt: string | null }>;
};

export type Extension = '8BITMIME' | 'SMTPUTF8' | 'SIZE' | 'DSN' | 'PIPELINING';

export type Envelope = {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly size: number;
  readonly eightBit: boolean;
  readonly utf8Header: boolean;
  readonly dsn?: DsnRequest | undefined;
};

/** @param offers what the server said to EHLO */
export function mailCommand(
  { sender, recipients, size, eightBit, utf8Header, dsn }: Envelope,
  offers: (extension: Extension) => boolean,
): string {
  const needsUtf8 = utf8Header || !isAscii(sender) || recipients.some((address) => !isAscii(address));
  const asked = offers('DSN') ? dsn : undefined;
  return [
    `MAIL FROM:<${checked(sender)}>`,
    ...(needsUtf8 && offers('SMTPUTF8') ? ['SMTPUTF8'] : []),
    ...(eightBit && offers('8BITMIME') ? ['BODY=8BITMIME'] : []),
    ...(size > 0 && offers('SIZE') ? [`SIZE=${size}`] : []),
    ...parameters({ RET: asked?.ret, ENVID: asked?.envid }),
  ].join(' ');
}

export function rcptCommand(
  address: string,
  { dsn }: Pick<Envelope, 'dsn'>,
  offers: (extension: Extension) => boolean,
): string {
  const asked = offers('DSN') ? dsn?.recipients.get(address) : undefined;
  return [
    `RCPT TO:<${checked(address)}>`,
    ...parameters({ NOTIFY: asked?.notify, ORCPT: asked?.orcpt }),
  ].join(' ');
}

function parameters(values: Readonly<Record<string, string | null | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [`${name}=${value}`]));
}

/** No address of the queue has these; one that had would be a command of its own. */
function checked(address: string): string {
  if (/[\r\n<>]/.test(address)) throw new Error(`Invalid address ${JSON.stringify(address)}`);
  return address;
}

export const isAscii = (text: string) => /^[\x20-\x7e]*$/.test(text);

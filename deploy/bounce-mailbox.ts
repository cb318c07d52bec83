// Where delivery reports arrive: the mailbox that sends. Nothing here ends a process, or keeps mail from leaving.
import type { OAuth2Reading } from './oauth2.ts';
import type { ProviderReading } from './provider.ts';
import type { Reading } from './reading.ts';

export type BounceMailbox = {
  /** Undefined: that of the provider of `smtpHost`, where it is known. */
  readonly host?: string;
  readonly smtpHost?: string;
  readonly port: number;
  readonly tlsMode: 'implicit' | 'starttls';
  readonly user: string;
  readonly password?: string;
  /** The provider's access token serves IMAP, too. */
  readonly provider?: ProviderReading & { readonly oauth2: OAuth2Reading };
  /** Empty: the inbox and the junk folder. */
  readonly folders: readonly string[];
  /** Where reports that were read are moved; undefined leaves them where they are. */
  readonly moveTo?: string;
  readonly caFile?: string;
};

/** How far back the first look goes, and so how long a mail must stay known. */
export const firstLookDays = 14;

/** Undefined when it is off or incomplete; then `reading.findings` holds the reason. */
export function readBounceMailbox(
  reading: Reading,
  primary: ProviderReading | undefined,
): BounceMailbox | undefined {
  const isOn = reading.optional('BOUNCE_IMAP') === 'on';
  const host = reading.optional('BOUNCE_IMAP_HOST');
  if (!isOn && host === undefined) return undefined;
  nameShortRetention(reading);
  const user = reading.optional('BOUNCE_IMAP_USER') ?? primary?.user;
  const ownPassword = reading.optional('BOUNCE_IMAP_PASSWORD');
  const password = ownPassword ?? primary?.password;
  const port = reading.optional('BOUNCE_IMAP_PORT');
  const mode = reading.optional('BOUNCE_IMAP_TLS_MODE');
  const usesToken = ownPassword === undefined && primary?.oauth2 !== undefined;
  if (user === undefined) nameMissing(reading, 'BOUNCE_IMAP_USER');
  if (password === undefined && !usesToken) nameMissing(reading, 'BOUNCE_IMAP_PASSWORD');
  if (user === undefined || (password === undefined && !usesToken) || !port || !mode) return undefined;
  const moveTo = reading.optional('BOUNCE_IMAP_MOVE_TO');
  return {
    ...(host !== undefined && { host }),
    ...(primary !== undefined && { smtpHost: primary.host }),
    port,
    tlsMode: mode === 'auto' ? (port === 143 ? 'starttls' : 'implicit') : mode,
    user,
    ...(password !== undefined && { password }),
    ...(usesToken && { provider: primary as BounceMailbox['provider'] & object }),
    folders: (reading.optional('BOUNCE_IMAP_FOLDERS') ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
    ...(moveTo !== undefined && { moveTo }),
    ...(primary?.caFile !== undefined && { caFile: primary.caFile }),
  };
}

/** Whether the envelope sender names the mail (BOUNCE_VERP). */
export function readBounceVerp(
  reading: Reading,
  mailbox: BounceMailbox | undefined,
  providers: readonly (ProviderReading | undefined)[],
): boolean {
  if (reading.optional('BOUNCE_VERP') !== 'on') return false;
  const refusing = providers.find((provider) => refusesTags.test(provider?.host ?? ''));
  const problem =
    mailbox === undefined
      ? 'is on, and no mailbox is read in which such reports could arrive'
      : refusing !== undefined
        ? `is on, and ${refusing.host} takes no such sender`
        : undefined;
  if (problem === undefined) return true;
  reading.add('BOUNCE_VERP', {
    severity: 'warning',
    problem: `${problem}: mail leaves with its plain sender`,
    fix: 'Leave BOUNCE_VERP out. Reports are matched by their Message-ID all the same.',
    cause: 'env-value-garbage',
  });
  return false;
}

/** Providers whose pages say that an account sends as itself and its aliases only. */
const refusesTags =
  /(?:^|\.)(?:privateemail\.com|gmail\.com|googlemail\.com|office365\.com|outlook\.com|live\.com)$/i;

/** More would be no test any more. */
const mostCanaries = 5;

/** Who gets a mail to oneself every day. */
export function readCanaryTo(reading: Reading, mailbox: BounceMailbox | undefined): readonly string[] {
  const addresses = reading.optional('CANARY_TO') ?? [];
  if (addresses.length === 0) return [];
  const problem =
    mailbox === undefined
      ? 'is set, and no mailbox is read in which such mail could come back'
      : addresses.some((address) => address.startsWith('*'))
        ? 'names a whole domain, and mail needs an address'
        : addresses.length > mostCanaries
          ? `has more than ${mostCanaries} addresses`
          : undefined;
  if (problem === undefined) return addresses;
  reading.add('CANARY_TO', {
    severity: 'warning',
    problem: `${problem}: no mail is sent to it`,
    fix: 'Set BOUNCE_IMAP=on and up to five addresses that forward to that mailbox, or leave CANARY_TO out.',
    cause: 'env-value-garbage',
  });
  return [];
}

/** Warnings, all of them: mail leaves without a mailbox to read. */
function nameMissing(reading: Reading, name: 'BOUNCE_IMAP_USER' | 'BOUNCE_IMAP_PASSWORD'): void {
  reading.add(name, {
    severity: 'warning',
    problem: 'is not set, nor is that of the provider: no delivery reports are read',
    fix: `Set ${name}, or switch BOUNCE_IMAP off.`,
    cause: 'env-missing',
  });
}

/** A report about a mail that is forgotten can be matched with nothing. */
function nameShortRetention(reading: Reading): void {
  const kept = reading.optional('RETENTION_ROWS');
  if (kept === undefined || kept >= firstLookDays * 24 * 3_600_000) return;
  reading.add('RETENTION_ROWS', {
    severity: 'warning',
    problem: `is below ${firstLookDays} days, and delivery reports come up to that late: they would match nothing`,
    fix: `Set RETENTION_ROWS to ${firstLookDays}d or more, or switch BOUNCE_IMAP off.`,
    cause: 'env-value-garbage',
  });
}

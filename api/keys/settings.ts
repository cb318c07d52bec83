// What can be said of a key: its fields as they are sent, and as they are stored.
import { z } from 'zod';
import { readAddress } from '../../relay/client/address/address.ts';
import type { Scope } from '../authenticate.ts';
import { invalidFields } from '../faults.ts';
import { faultOfReach, line, time } from '../fields.ts';
import type { Fault } from '../problem.ts';
import { defaultPerMinute } from '../rate-limit.ts';
import { tagList } from '../tags.ts';
import { notAllowed } from './key.ts';
import type { KeySettings } from './store.ts';

const sender = z
  .string()
  .superRefine((text, context) => {
    const asAddress = text.startsWith('*@') ? `any${text.slice(1)}` : text;
    const reading = readAddress(asAddress);
    const fault = 'fault' in reading ? reading.fault : faultOfReach(asAddress);
    if (fault === undefined) return;
    context.addIssue({
      code: 'custom',
      message: `must be an address or *@domain: ${text.slice(0, 100)} ${fault}`,
    });
  })
  .meta({ examples: ['*@example.com'] });

const mostRecipients = 10_000_000;

/** 0 takes the limit away. */
const recipients = (span: string) =>
  z
    .int()
    .min(0, 'must be at least 0')
    .max(mostRecipients, `must be at most ${mostRecipients}`)
    .optional()
    .meta({ description: `Recipients ${span}, over HTTP and SMTP together. 0 is no limit.` });

export const settingsFields = {
  rate_per_minute: z
    .int()
    .min(1, 'must be at least 1')
    .max(10_000_000, 'must be at most 10000000')
    .optional()
    .meta({ description: `Requests a minute over all replicas; the default is ${defaultPerMinute}.` }),
  senders: z.array(sender).max(100, 'must have at most 100 entries').optional().meta({
    description: 'Who the key may send as: addresses and `*@domain`. Empty: whoever the relay allows.',
  }),
  tags: tagList.optional().meta({
    description: 'Tags of its mail, beside those that a mail brings; at most 75 together. Its own win.',
  }),
  per_hour: recipients('in an hour of the clock'),
  per_day: recipients('in a day of UTC'),
  expires_at: z
    .union([time, z.literal('never')])
    .optional()
    .meta({ description: 'When the key stops working, or `never`.' }),
};

export const keyName = line(100);

const settingsSchema = z.strictObject({ name: keyName.optional(), ...settingsFields });

type GivenSettings = z.output<typeof settingsSchema>;

export const noSettings: Omit<KeySettings, 'name'> = {
  ratePerMinute: null,
  senders: null,
  tags: [],
  perHour: null,
  perDay: null,
  expiresAt: null,
};

/** What is left out stays. Throws `invalid-fields`. */
export function withSettings(
  settings: KeySettings,
  given: GivenSettings,
  { scopes, allowedSenders }: { scopes: readonly Scope[]; allowedSenders: readonly string[] | undefined },
): KeySettings {
  const faults = [
    ...faultsOfScope(given, scopes),
    ...faultsOfSenders(given.senders ?? [], allowedSenders),
    ...faultsOfEnd(given.expires_at),
  ];
  if (faults.length > 0) throw invalidFields(faults);
  const { senders, tags, per_hour: perHour, per_day: perDay, expires_at: end } = given;
  return {
    name: given.name ?? settings.name,
    ratePerMinute: given.rate_per_minute ?? settings.ratePerMinute,
    senders: senders ? noneWhereEmpty(senders) : settings.senders,
    tags: tags ?? settings.tags,
    perHour: perHour === undefined ? settings.perHour : perHour || null,
    perDay: perDay === undefined ? settings.perDay : perDay || null,
    expiresAt: end === undefined ? settings.expiresAt : end === 'never' ? null : end,
  };
}

const noneWhereEmpty = (senders: readonly string[]) => (senders.length > 0 ? senders : null);

const onlyForSending = ['senders', 'tags', 'per_hour', 'per_day'] as const;

/** An admin key can make another key without any limit, and one without `send` sends nothing. */
function faultsOfScope(given: GivenSettings, scopes: readonly Scope[]): Fault[] {
  if (scopes.includes('send') && !scopes.includes('admin')) return [];
  return onlyForSending.flatMap((field) => {
    const value = given[field];
    const isNothing = value === undefined || value === 0 || (Array.isArray(value) && value.length === 0);
    return isNothing
      ? []
      : [fault(field, 'is for keys with the scope send and without admin', { received: value })];
  });
}

function faultsOfSenders(senders: readonly string[], allowed: readonly string[] | undefined): Fault[] {
  return notAllowed(senders, allowed).map((entry) =>
    fault(`senders/${senders.indexOf(entry)}`, 'is not among the senders that the relay allows', {
      received: entry,
      accepted: allowed,
    }),
  );
}

function faultsOfEnd(end: Date | 'never' | undefined): Fault[] {
  if (!(end instanceof Date) || end.getTime() > Date.now()) return [];
  return [fault('expires_at', 'must be in the future', { received: end.toISOString() })];
}

const fault = (place: string, detail: string, more: Partial<Fault>): Fault => ({
  in: 'body',
  pointer: `#/${place}`,
  detail,
  ...more,
});

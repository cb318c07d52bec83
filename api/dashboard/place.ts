// Where a mail stands in the one list of mail: by the time in its id, newest first. Ids of the api (RFC 9562) and of the
// relay both begin with their milliseconds, so one id tells where to read on in both.

export const isEmailId = (id: string): boolean =>
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(id);

/** The relay's ids of messages that it took over SMTP (relay/client/queue-id.ts); shorter ones are of tests. */
export const isQueueId = (id: string): boolean => /^[0-9A-Z]{1,40}$/.test(id);

// Crockford's base 32, as relay/client/queue-id.ts writes it.
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const timeDigits = 9;

export function timeOf(id: string): number {
  if (isEmailId(id)) return Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  return [...id.slice(0, timeDigits)].reduce((time, digit) => time * 32 + digits.indexOf(digit), 0);
}

/** No email of that millisecond or later has a smaller id. */
export function firstEmailId(time: number): string {
  const hex = Math.max(0, Math.floor(time)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The same for the relay's ids. */
export function firstQueueId(time: number): string {
  let text = '';
  for (let rest = Math.max(0, Math.floor(time)), n = 0; n < timeDigits; n++, rest = Math.floor(rest / 32))
    text = digits[rest % 32] + text;
  return text;
}

/** Newest first; in one millisecond what the api made stands before what came over SMTP. */
export function inOrder(one: string, other: string): number {
  const time = timeOf(other) - timeOf(one);
  if (time !== 0) return time;
  if (isEmailId(one) !== isEmailId(other)) return isEmailId(one) ? -1 : 1;
  return one < other ? 1 : one > other ? -1 : 0;
}

/** What stands behind the mail with this id: all emails and all submitted messages with smaller ids than these. */
export type Behind = { readonly email: string; readonly submitted: string };

export function behind(id: string): Behind {
  const time = timeOf(id);
  return isEmailId(id)
    ? { email: id, submitted: firstQueueId(time + 1) }
    : { email: firstEmailId(time), submitted: id };
}

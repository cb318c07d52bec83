// What the columns of a file mean: those of Postern, and those of the exports of SendGrid, Mailgun and Postmark. Pure.
import type { SuppressionReason } from '../../../relay/client/suppression/suppression.ts';

/** Where each value stands in a line. */
export type Columns = {
  readonly count: number;
  readonly address: number;
  readonly reason: number | undefined;
  readonly stream: number | undefined;
  readonly createdAt: number | undefined;
  /** Postmark: who asked for it. */
  readonly origin: number | undefined;
  /** What a server answered, in this order. */
  readonly reply: readonly number[];
  /** Why all of them are on the list, where the columns show it. */
  readonly says: SuppressionReason | undefined;
};

const addressNames = ['address', 'email', 'emailaddress', 'recipient'];
const reasonNames = ['reason', 'suppressionreason'];
const createdNames = ['createdat', 'created'];
/** Known, and not needed. */
const others = [
  ...['id', 'status', 'ip', 'tag', 'tags', 'domain', 'source', 'cause', 'note', 'expiresat', 'updatedat'],
  ...['sourceemailid', 'sourcequeueid', 'messagestream', 'streamid'],
];

const known = new Set([
  ...addressNames,
  ...reasonNames,
  ...createdNames,
  ...others,
  ...['stream', 'origin', 'code', 'error', 'reply'],
]);

/** Or what is wrong with the first line, as the rest of a sentence. */
export function readColumns(header: readonly string[]): Columns | { readonly fault: string } {
  const names = header.map((name) => name.toLowerCase().replaceAll(/[\s_-]/g, ''));
  const at = (...wanted: string[]) => {
    const index = names.findIndex((name) => wanted.includes(name));
    return index === -1 ? undefined : index;
  };
  const address = at(...addressNames);
  if (address === undefined) return { fault: 'must name the columns, among them `address` (or `email`)' };
  const unknown = names.findIndex((name) => !known.has(name));
  if (unknown !== -1) {
    const name = (header[unknown] ?? '').slice(0, 50);
    return {
      fault: `has the column "${name}", which is not known. Known are address, reason, stream, created_at`,
    };
  }
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) return { fault: `has the column "${(header[twice] ?? '').slice(0, 50)}" twice` };
  // SendGrid: its column "reason" holds what the server answered.
  const isSendGrid = at('email') !== undefined && at('created') !== undefined;
  const answered = at('reply') ?? (isSendGrid ? at('reason') : undefined);
  return {
    count: header.length,
    address,
    reason: isSendGrid ? undefined : at(...reasonNames),
    stream: at('stream'),
    createdAt: at(...createdNames),
    origin: at('origin'),
    reply: [at('code'), at('error'), answered].filter((index) => index !== undefined),
    says: isSendGrid ? saysSendGrid(at) : saysMailgun(at),
  };
}

type At = (name: string) => number | undefined;

/** bounces, blocks and invalid emails; spam reports; unsubscribes. */
function saysSendGrid(at: At): SuppressionReason {
  if (at('reason') !== undefined) return 'bounce';
  return at('ip') === undefined ? 'unsubscribe' : 'complaint';
}

/** Its complaints have only an address and a time. */
function saysMailgun(at: At): SuppressionReason | undefined {
  if (at('code') !== undefined || at('error') !== undefined) return 'bounce';
  return at('tags') === undefined && at('tag') === undefined ? undefined : 'unsubscribe';
}

// What the header of a submitted message decides: whether it may pass, which of its fields stay behind, what it lacks.

import { isAscii } from 'node:buffer';
import { type AllowedSenders, isAllowedSender } from '../client/address/allowed-senders.ts';
import { dateTime } from '../smtp/date-time.ts';
import { judgeAuthors } from './authors.ts';
import { bodyOf, type Field, readHeader } from './header.ts';
import { type Labels, readLabels } from './labels.ts';
import { messageIdFor } from './received.ts';
import { type Refusal, refuse, senderNotAllowed } from './refusal.ts';
import { type RewrittenSenders, rewriteSenders } from './rewrite.ts';
import { subjectOf } from './subject.ts';

/** The header section must fit; a mailing list archive once fitted into 100 KB. */
const longestHeader = 131_072;
// RFC 5321 section 6.3 asks for a large threshold; no honest path is this long, and a loop gets here in a second.
const mostReceivedFields = 25;

/** The email row this message belongs to, and the proof that whoever hands it over may do so. */
export type EmailClaim = { readonly id: string; readonly token: Buffer };

export type Admission = {
  /** MAIL FROM as it goes on. */
  readonly mailFrom: string;
  /** Who spoke before RELAY_SENDER_REWRITE put somebody else there. */
  readonly were: RewrittenSenders;
  readonly headerFrom: string;
  readonly messageId: string;
  /** Undefined for mail of the api, whose row has it. */
  readonly subject: string | undefined;
  /** Whether the client brought it. Without one, nothing tells a repeat from a second mail with the same words. */
  readonly broughtMessageId: boolean;
  /** Fields that were missing or replaced, each with its CRLF; they go before the others, behind Received. */
  readonly added: string;
  /** What is passed on of the header and whatever body came with it, in order. */
  readonly kept: readonly Buffer[];
  readonly email: EmailClaim | undefined;
  readonly idempotencyKey: string | undefined;
  readonly labels: Labels;
  /** Whether the header holds octets above 127 (RFC 6532). */
  readonly eightBitHeader: boolean;
};

export type AdmissionQuestion = {
  /** The beginning of the message, up to at least the end of its header. */
  readonly bytes: Buffer;
  readonly ended: boolean;
  readonly allowed: AllowedSenders;
  /** What allows them; SMTP_ALLOWED_SENDERS unless told. */
  readonly setBy?: string | undefined;
  /** MAIL FROM as the client said it; `''` is the null sender. */
  readonly mailFrom: string;
  /** Who speaks instead of those who may not (RELAY_SENDER_REWRITE); undefined when it is off. */
  readonly rewriteTo: string | undefined;
  /** Whether the client used the credential of Postern's own processes. */
  readonly mayHandOverEmails: boolean;
  readonly now: Date;
};

/** Undefined when the header has not arrived completely, which cannot be once the message has ended. */
export function admit(question: AdmissionQuestion & { ended: true }): Admission | Refusal;
export function admit(question: AdmissionQuestion): Admission | Refusal | undefined;
export function admit(question: AdmissionQuestion): Admission | Refusal | undefined {
  const { bytes, ended, allowed, setBy, rewriteTo, mayHandOverEmails, now } = question;
  const header = readHeader(bytes, ended);
  if (header.state === 'incomplete') return bytes.length > longestHeader ? headerTooLong : undefined;
  if (header.state === 'malformed') {
    return refuse(
      554,
      '5.6.0',
      `Line ${header.line} is not a header field, and no blank line came before it`,
    );
  }
  if (header.length > longestHeader) return headerTooLong;

  const { fields } = header;
  if (fields.filter(isNamed('received')).length > mostReceivedFields) {
    return refuse(554, '5.4.6', `More than ${mostReceivedFields} Received fields: this mail loops`);
  }
  const email = readEmailClaim(bytes, fields, mayHandOverEmails);
  if (email && 'code' in email) return email;
  const rewriting =
    rewriteTo === undefined || email ? undefined : rewriteSenders({ ...question, fields, to: rewriteTo });
  const { removed = [], were = {}, mailFrom = question.mailFrom } = rewriting ?? {};
  if (mailFrom !== '' && !isAllowedSender(mailFrom, allowed)) {
    return senderNotAllowed(mailFrom, 'MAIL FROM', allowed, setBy);
  }
  const headerFrom = judgeAuthors({
    bytes,
    fields: fields.filter((field) => !removed.includes(field)),
    allowed,
    setBy,
    isOurs: email !== undefined,
    instead: were.fromWas === undefined ? undefined : rewriteTo,
  });
  if (typeof headerFrom !== 'string') return headerFrom;
  const idempotencyKey = readIdempotencyKey(bytes, fields);
  if (typeof idempotencyKey === 'object') return idempotencyKey;
  const labels = readLabels(bytes, fields);
  if ('code' in labels) return labels;

  const idField = fields.find(isNamed('message-id'));
  const messageId = idField ? bodyOf(bytes, idField) : messageIdFor(headerFrom);
  const added =
    (rewriting?.added ?? '') +
    (idField ? '' : `Message-ID: ${messageId}\r\n`) +
    (fields.some(isNamed('date')) ? '' : `Date: ${dateTime(now)}\r\n`);

  return {
    mailFrom,
    were,
    headerFrom,
    messageId,
    subject: email ? undefined : subjectOf(bytes, fields),
    broughtMessageId: idField !== undefined && messageId !== '',
    added,
    kept: without(
      bytes,
      fields.filter((field) => staysBehind(field) || removed.includes(field)),
    ),
    email,
    idempotencyKey,
    labels,
    eightBitHeader: !isAscii(bytes.subarray(0, header.length)),
  };
}

const headerTooLong = refuse(554, '5.6.0', `The header is longer than ${longestHeader} octets`);

const isNamed = (name: string) => (field: Field) => field.name === name;

/**
 * Blind copies are for the submission agent's eyes only (RFC 5322 sections 3.6.3 and 3.6.6), Return-Path is written by
 * whoever delivers last (RFC 5321 section 4.4), and our own fields are for ours.
 */
const staysBehind = ({ name }: Field) =>
  name === 'bcc' || name === 'resent-bcc' || name === 'return-path' || name.startsWith('x-postern-');

function readEmailClaim(
  bytes: Buffer,
  fields: readonly Field[],
  mayHandOverEmails: boolean,
): EmailClaim | Refusal | undefined {
  const [claim, second] = fields.filter(isNamed('x-postern-email'));
  if (!claim) return undefined;
  if (!mayHandOverEmails) {
    return refuse(550, '5.7.1', "X-Postern-Email is only for Postern's own processes (RELAY_USER)");
  }
  const [, id, token] =
    /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ((?:[0-9a-f]{2})+)$/i.exec(bodyOf(bytes, claim)) ?? [];
  if (second || !id || !token) return refuse(554, '5.6.0', 'X-Postern-Email must be ID TOKEN, once');
  return { id: id.toLowerCase(), token: Buffer.from(token, 'hex') };
}

function readIdempotencyKey(bytes: Buffer, fields: readonly Field[]): string | Refusal | undefined {
  const [key, second] = fields.filter(isNamed('x-postern-idempotency-key'));
  if (!key) return undefined;
  const value = bodyOf(bytes, key);
  if (second || value.length < 1 || value.length > 255) {
    return refuse(554, '5.6.0', 'X-Postern-Idempotency-Key must be 1 to 255 characters, once');
  }
  return value;
}

function without(bytes: Buffer, fields: readonly Field[]): Buffer[] {
  const kept: Buffer[] = [];
  let from = 0;
  for (const { start, end } of fields) {
    if (start > from) kept.push(bytes.subarray(from, start));
    from = end;
  }
  kept.push(bytes.subarray(from));
  return kept;
}

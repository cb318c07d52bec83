// Refusals that no rule knows by their words: judged by their code alone, and worth a look by a person.
import { maskAddresses } from '../../deploy/log.ts';
import type { Cause } from './catalogue.ts';

const byCodeAlone: ReadonlySet<string> = new Set<Cause>([
  'unknown',
  'message-refused',
  'recipient-refused',
  'temporary-refusal',
  'protocol-error',
  'auth-refused',
  'greeting-refused',
]);

export const isUnnamed = (cause: string): boolean => byCodeAlone.has(cause);

const longest = 300;

/** The reply without what tells one mail or machine from another, so that the same words are one: safe to pass on. */
export function templateOf(reply: string): string {
  const template = maskAddresses(reply)
    .replaceAll(/[\r\n]+(?:\d{3}[- ](?:[245]\.\d{1,3}\.\d{1,3} )?)?/g, ' ')
    .replaceAll(/\S{0,64}\*\*\*@\S+/g, '<address>')
    .replaceAll(/https?:\/\/\S+/gi, '<link>')
    .replaceAll(
      /(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|(?<!\w)(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}/gi,
      '<ip>',
    )
    .replaceAll(/(?<![\w.-])(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,24}(?![\w.-])/gi, '<host>')
    .replaceAll(/(?<=\S.{3,})(?<![\w.#])(?=\w*\d)(?=\w*[a-z])\w{6,}|(?<=\S.{3,})(?<![\d.])\d{4,}/gi, '<id>')
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  return template.length > longest ? `${template.slice(0, longest - 1)}…` : template;
}

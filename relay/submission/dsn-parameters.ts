// What a submitter wants to hear about its mail (RFC 3461): RET and ENVID with MAIL, NOTIFY and ORCPT with RCPT.
// Read from the command itself, because smtp-server decodes the values, lets wrong ones pass and names one fault only.
// Pure.
import { decodeXtext } from '../smtp/xtext.ts';

/** RFC 3461 section 4.3 and 4.4. ENVID stays as it came, in xtext. */
export type MessageRequest = { readonly ret: 'FULL' | 'HDRS' | null; readonly envid: string | null };

/** RFC 3461 section 4.1 and 4.2. `notify` is in capitals, each word once; ORCPT stays as it came. */
export type RecipientRequest = { readonly notify: string | null; readonly orcpt: string | null };

export type ReadRequest<Request> =
  /** `rest` is the command without these parameters. */
  { readonly request: Request; readonly rest: string } | { readonly faults: readonly string[] };

// RFC 3461 section 4.4 and 4.2.
const longestEnvid = 100;
const longestOrcpt = 500;

export function readMessageRequest(command: string): ReadRequest<MessageRequest> {
  const { values, rest, faults } = take(command, ['RET', 'ENVID']);
  const ret = values.get('RET')?.toUpperCase() ?? null;
  if (ret !== null && ret !== 'FULL' && ret !== 'HDRS') {
    faults.push(`RET must be FULL or HDRS, not ${quoted(ret)}`);
  }
  const envid = values.get('ENVID') ?? null;
  if (envid !== null) faults.push(...faultsOfEnvid(envid));
  return faults.length > 0 ? { faults } : { request: { ret: ret as MessageRequest['ret'], envid }, rest };
}

/** @param utf8 whether MAIL said SMTPUTF8: then ORCPT may hold characters beyond ASCII (RFC 6533 section 3) */
export function readRecipientRequest(command: string, utf8: boolean): ReadRequest<RecipientRequest> {
  const { values, rest, faults } = take(command, ['NOTIFY', 'ORCPT']);
  const words = values.get('NOTIFY')?.toUpperCase().split(',');
  if (words) faults.push(...faultsOfNotify(words));
  const orcpt = values.get('ORCPT') ?? null;
  if (orcpt !== null) faults.push(...faultsOfOrcpt(orcpt, utf8));
  if (faults.length > 0) return { faults };
  return { request: { notify: words ? [...new Set(words)].join(',') : null, orcpt }, rest };
}

/** Takes the named parameters out of a MAIL or RCPT command; what cannot be read stays for smtp-server to refuse. */
function take(
  command: string,
  names: readonly string[],
): { values: Map<string, string>; rest: string; faults: string[] } {
  const values = new Map<string, string>();
  const faults: string[] = [];
  const end = endOfPath(command);
  const others = command
    .slice(end)
    .split(/[ \t\r\n]+/)
    .filter((parameter) => {
      const [, name = '', equals, value = ''] = /^([^=]*)(=?)(.*)$/s.exec(parameter) ?? [];
      const known = names.find((each) => each === name.toUpperCase());
      if (!known) return parameter !== '';
      if (values.has(known)) faults.push(`${known} is given twice`);
      else if (equals === '' || value === '') faults.push(`${known} needs a value`);
      values.set(known, value);
      return false;
    });
  // An empty value has its fault already.
  for (const [name, value] of values) if (value === '') values.delete(name);
  return { values, rest: [command.slice(0, end), ...others].join(' '), faults };
}

/** Where the parameters begin: behind the `>` that is not part of a quoted local part (RFC 5321 section 4.1.2). */
function endOfPath(command: string): number {
  const path = /<(?:"(?:[^"\\]|\\.)*"|[^">])*>/s.exec(command);
  return path ? path.index + path[0].length : command.length;
}

function faultsOfNotify(words: readonly string[]): string[] {
  const strange = words.filter((word) => !notifyWords.includes(word));
  if (strange.length > 0) {
    return [
      `NOTIFY must be NEVER, or a list of SUCCESS, FAILURE and DELAY, not ${quoted(strange.join(','))}`,
    ];
  }
  return words.includes('NEVER') && new Set(words).size > 1 ? ['NOTIFY=NEVER goes with no other word'] : [];
}

const notifyWords = ['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'];

function faultsOfEnvid(envid: string): string[] {
  const faults = faultsOfXtext('ENVID', envid);
  if (envid.length > longestEnvid) faults.push(`ENVID is longer than ${longestEnvid} characters`);
  return faults;
}

function faultsOfOrcpt(orcpt: string, utf8: boolean): string[] {
  const faults: string[] = [];
  const [, type = '', address = ''] = /^([^;]*);?(.*)$/s.exec(orcpt) ?? [];
  if (!/^[\w!#$%&'*+/=?^`{|}~-]+$/.test(type) || address === '') {
    faults.push(`ORCPT must be an address type, a semicolon and an address, such as rfc822;ann@example.org`);
  } else {
    const isForeign = type.toLowerCase() === 'utf-8' && utf8;
    faults.push(
      ...faultsOfXtext('ORCPT', isForeign ? address.replace(/[\u00a0-\u{10ffff}]/gu, 'x') : address),
    );
  }
  if (orcpt.length > longestOrcpt) faults.push(`ORCPT is longer than ${longestOrcpt} characters`);
  return faults;
}

/** Decoded it stands in the header fields of a notice, so it must be printable (RFC 3461 section 4.4). */
function faultsOfXtext(name: string, value: string): string[] {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(value)) {
    return [
      `${name} must be xtext (RFC 3461 4): "+", "=" and blanks as + and two hexadecimal digits in capitals`,
    ];
  }
  return /^[\x20-\x7e]*$/.test(decodeXtext(value)) ? [] : [`${name} holds a character that is not printable`];
}

const quoted = (text: string) => `"${text.replace(/[^\x20-\x7e]/g, '?').slice(0, 40)}"`;

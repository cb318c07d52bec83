// message/delivery-status (RFC 3464) and message/global-delivery-status (RFC 6533): a block about the mail, then one for
// every recipient.
import { type Fields, fieldOf, readBlocks } from './fields.ts';
import { type Action, type Finding, recipientLimit, replyLimit } from './report.ts';

export type DeliveryStatus = {
  readonly findings: readonly Finding[];
  readonly envelopeId: string | undefined;
  /** Ids of the mail that some servers put beside the fields of the standard. */
  readonly messageIds: readonly string[];
};

export function readDeliveryStatus(content: string): DeliveryStatus {
  const blocks = readBlocks(content);
  const all = (name: string) => blocks.flatMap((block) => block.get(name) ?? []);
  return {
    findings: blocks.flatMap(findingOf).slice(0, recipientLimit),
    envelopeId: all('original-envelope-id')[0],
    messageIds: [...all('x-original-message-id'), ...all('original-message-id')],
  };
}

function findingOf(block: Fields): Finding[] {
  const final = addressIn(fieldOf(block, 'final-recipient'));
  const original = addressIn(fieldOf(block, 'original-recipient'));
  // Some servers write only one of them, or a name of their own for it.
  const address = original || final || addressIn(fieldOf(block, 'x-actual-recipient'));
  const action = actionOf(fieldOf(block, 'action'));
  const said = fieldOf(block, 'status');
  if (address === '' && (action === undefined || said === '')) return [];
  const status = /[245]\.\d{1,3}\.\d{1,3}/.exec(said)?.[0] ?? '';
  return [
    {
      address,
      finalAddress: final || address,
      action: action ?? (status.startsWith('2') ? 'delivered' : 'failed'),
      status,
      reply: replyOf(block).slice(0, replyLimit),
      // PowerMTA tells what it made of the reply; nothing else of it says that the address was refused by itself.
      ...(fieldOf(block, 'x-powermta-bouncecategory') === 'bad-mailbox' ? { command: 'rcpt' } : {}),
    },
  ];
}

// With a comment or a full stop behind it, and in any case of letters.
function actionOf(value: string): Action | undefined {
  const word = /^[a-z]+/.exec(value.toLowerCase())?.[0] ?? '';
  if (/^(failed|failure|expired)$/.test(word)) return 'failed';
  if (word === 'deliverable') return 'delivered';
  return (['delayed', 'delivered', 'relayed', 'expanded'] as const).find((action) => action === word);
}

/** `smtp; 550 5.1.1 …` without its type, and with what some servers say beside it. */
function replyOf(block: Fields): string {
  const diagnostics = (block.get('diagnostic-code') ?? []).map((value) =>
    value.replace(/^[\w./+-]{1,40};\s*/, ''),
  );
  return [...diagnostics, ...(block.get('x-supplementary-info') ?? [])]
    .filter((value) => /\D/.test(value))
    .join(' ');
}

/** `rfc822; <a@b>`, `utf-8; a\x{fc}@b` (RFC 6533 §3) and `a+3Db@c` of an xtext (RFC 3461 §4) as an address. */
export function addressIn(value: string): string {
  const [, type = '', written = ''] = /^(?:([\w-]{1,20})\s*;)?\s*(.*)$/s.exec(value) ?? [];
  const bare =
    /<([^<>\s]{1,320})>/.exec(written)?.[1] ??
    /[^\s<>(),;"]{1,320}@[^\s<>(),;"]{1,255}/.exec(written)?.[0] ??
    written;
  const address =
    type.toLowerCase() === 'utf-8' ? bare.replaceAll(/\\x\{([0-9a-f]{1,6})\}/gi, codePoint) : bare;
  return /^[^\s@]+@[^\s@]+$/.test(address) ? address.replace(/[.:]+$/, '').slice(0, 320) : '';
}

function codePoint(whole: string, hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code > 0x1f && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
    ? String.fromCodePoint(code)
    : whole;
}

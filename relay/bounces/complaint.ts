// message/feedback-report (RFC 5965): somebody called the mail unwanted. Receivers often cut the address out of it.
import { addressIn } from './delivery-status.ts';
import { type Fields, fieldOf, readFields } from './fields.ts';
import { type Action, type Finding, recipientLimit, replyLimit } from './report.ts';

/** `returnedTo`: to whom the returned mail was addressed. */
export function readComplaint(content: string, returnedTo: readonly string[]): Finding[] {
  const fields = readFields(content.trim());
  const action = actionOf(fields);
  if (action === undefined) return [];
  const named = ['original-rcpt-to', 'removal-recipient']
    .flatMap((name) => fields.get(name) ?? [])
    .map(addressIn);
  const reply = [fieldOf(fields, 'feedback-type'), fieldOf(fields, 'user-agent')].filter(Boolean).join(', ');
  return findingsFor(named.some(Boolean) ? named : returnedTo, action, reply);
}

/** Microsoft's own form (JMRP): the mail as it was, with the recipient in a field of its own. */
export function readJunkMailReport(returned: Fields): Finding[] {
  const named = (returned.get('x-hmxmroriginalrecipient') ?? []).map(addressIn).filter(Boolean);
  return named.length === 0 ? [] : findingsFor(named, 'complaint', 'abuse');
}

function actionOf(fields: Fields): Action | undefined {
  const kind = fieldOf(fields, 'feedback-type').toLowerCase();
  if (kind === 'not-spam') return undefined;
  if (kind !== 'auth-failure' && !kind.startsWith('dmarc')) return 'complaint';
  // RFC 6591 blames nobody, but tells what became of the mail.
  const result = fieldOf(fields, 'delivery-result').toLowerCase();
  return result === 'reject' ? 'failed' : result === 'delivered' ? 'delivered' : undefined;
}

function findingsFor(addresses: readonly string[], action: Action, reply: string): Finding[] {
  const unique = [...new Set(addresses.filter(Boolean))].slice(0, recipientLimit);
  return (unique.length === 0 ? [''] : unique).map((address) => ({
    address,
    finalAddress: address,
    action,
    status: '',
    reply: reply.slice(0, replyLimit),
  }));
}

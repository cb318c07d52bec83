import { domainToASCII } from 'node:url';

/** RFC 5322 §3.6.4: globally unique, so our id at the sender's domain. */
export function newMessageId(emailId: string, from: string | undefined): string {
  const domain = domainToASCII(from?.slice(from.lastIndexOf('@') + 1) ?? '');
  return `<${emailId}@${domain || 'postern.invalid'}>`;
}

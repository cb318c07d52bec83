// Whether a mail may be a report, by a few fields of its header: of a mailbox full of other mail nothing else is read.
import { type Fields, fieldOf } from './fields.ts';
import { authorOf } from './machine.ts';

/** What it looks at. */
export const tellingFields: readonly string[] = [
  ...['return-path', 'from', 'subject', 'content-type', 'in-reply-to', 'x-failed-recipients'],
];

export function mayBeReport(header: Fields): boolean {
  return (
    /multipart\/report|delivery-status|feedback-report/i.test(fieldOf(header, 'content-type')) ||
    header.has('x-failed-recipients') ||
    /@(?:sns\.amazonaws|hotmail|microsoft)\.com/i.test(fieldOf(header, 'from')) ||
    authorOf(header, fieldOf(header, 'subject'), '').isServer
  );
}

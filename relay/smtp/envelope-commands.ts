// What nodemailer's MAIL and RCPT commands lack: SMTPUTF8 for a header in UTF-8 (RFC 6531 section 3.4), and what the
// submitter wants to hear, passed on to a provider that offers DSN (RFC 3461 section 5.2.1). nodemailer knows one set
// of DSN parameters for all recipients and encodes them anew; here each recipient has its own, sent as they came.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import { rewriteCommands } from './nodemailer.ts';

export type DsnRequest = {
  readonly ret: string | null;
  readonly envid: string | null;
  /** By address. */
  readonly recipients: ReadonlyMap<string, { readonly notify: string | null; readonly orcpt: string | null }>;
};

type Wanted = { readonly needsUtf8: boolean; readonly dsn: DsnRequest | undefined };

/** Completes the commands of the next transaction. The answer ends that; call it when the transaction is over. */
export function completeCommands(connection: SMTPConnection, wanted: Wanted): () => void {
  if (!wanted.needsUtf8 && !wanted.dsn) return () => {};
  return rewriteCommands(connection, (command) => complete(command, wanted));
}

function complete(command: string, { needsUtf8, dsn }: Wanted): string {
  if (command.startsWith('MAIL FROM:')) {
    const utf8 = needsUtf8 && !command.includes(' SMTPUTF8') ? ' SMTPUTF8' : '';
    return command + utf8 + parameters({ RET: dsn?.ret, ENVID: dsn?.envid });
  }
  const recipient = /^RCPT TO:<(.*)>$/s.exec(command)?.[1];
  if (recipient === undefined) return command;
  const asked = dsn?.recipients.get(recipient);
  return command + parameters({ NOTIFY: asked?.notify, ORCPT: asked?.orcpt });
}

function parameters(values: Readonly<Record<string, string | null | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value == null ? '' : ` ${name}=${value}`))
    .join('');
}

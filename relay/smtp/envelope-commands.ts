// What nodemailer's MAIL and RCPT commands lack: SMTPUTF8 for a header in UTF-8 (RFC 6531 section 3.4), and what the
// submitter wants to hear, passed on to a provider that offers DSN (RFC 3461 section 5.2.1). nodemailer knows one set
// of DSN parameters for all recipients and encodes them anew; here each recipient has its own, sent as they came.
import type SMTPConnection from 'nodemailer/lib/smtp-connection';

export type DsnRequest = {
  readonly ret: string | null;
  readonly envid: string | null;
  /** By address. */
  readonly recipients: ReadonlyMap<string, { readonly notify: string | null; readonly orcpt: string | null }>;
};

/** Completes the commands of the next transaction. The answer ends that; call it when the transaction is over. */
export function completeCommands(
  connection: SMTPConnection,
  { needsUtf8, dsn }: { needsUtf8: boolean; dsn: DsnRequest | undefined },
): () => void {
  if (!needsUtf8 && !dsn) return () => {};
  const inner = connection as unknown as { _sendCommand?: (line: string, shown?: string) => void };
  const send = inner._sendCommand?.bind(connection);
  inner._sendCommand = (line, shown) => send?.(complete(line), shown);
  return () => {
    // What the prototype has comes back.
    delete inner._sendCommand;
  };

  function complete(line: string): string {
    if (line.startsWith('MAIL FROM:')) {
      const utf8 = needsUtf8 && !line.includes(' SMTPUTF8') ? ' SMTPUTF8' : '';
      return line + utf8 + parameters({ RET: dsn?.ret, ENVID: dsn?.envid });
    }
    const recipient = /^RCPT TO:<(.*)>$/s.exec(line)?.[1];
    if (recipient === undefined) return line;
    const asked = dsn?.recipients.get(recipient);
    return line + parameters({ NOTIFY: asked?.notify, ORCPT: asked?.orcpt });
  }
}

function parameters(values: Readonly<Record<string, string | null | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value == null ? '' : ` ${name}=${value}`))
    .join('');
}

// Structured logs: one JSON object a line on standard output. What a line says is its `msg`; who says it is `process`.
// No secret passes here: errors are reduced to known fields and connection strings lose their credentials.
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export type LogAddresses = 'masked' | 'full';

/**
 * Opens the log of one process. Lines are written at the end of the turn of the event loop that said them, all in one
 * piece, and at exit: one write costs as much as accepting a tenth of a mail, and a group of mails says its lines
 * together. Only a kill in the very same turn swallows them. Mail addresses inside error texts are masked unless
 * `addresses` is `full`; an address in a field of its own is masked by the caller (`maskAddress`).
 */
export function openLog(
  process: 'api' | 'relay' | 'worker' | 'migrate' | 'local',
  level: LogLevel,
  { addresses = 'masked', destination }: { addresses?: LogAddresses; destination?: DestinationStream } = {},
): Log {
  const options = {
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describe, error: describe },
  };
  function describe(error: unknown): unknown {
    return describeError(error, addresses);
  }
  return pino(options, destination ?? standardOutput());
}

function standardOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: true });
  let said = '';
  const write = () => {
    if (said === '') return;
    output.write(said);
    said = '';
  };
  process.on('exit', write);
  return {
    write(line) {
      if (said === '') setImmediate(write);
      said += line;
    },
  };
}

/** Shows who an address belongs to without giving it away: `ann@example.com` becomes `a***@example.com`. */
export function maskAddress(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 1 ? '***' : `${[...address][0]}***${address.slice(at)}`;
}

/** The same for every address in a text, such as a reply that quotes the one it is about. */
export const maskAddresses = (text: string): string =>
  text.includes('@') ? text.replace(/[^\s<>"'`(),;:=/*]+@[\w-]+(?:\.[\w-]+)+/g, maskAddress) : text;

// Only these: libraries hang whole configurations, sockets and rows on their errors. PostgreSQL's
// `detail` and `where` are left out because they quote the row.
const tellingFields = [
  'code',
  'errno',
  'syscall',
  'address',
  'port',
  'command',
  'responseCode',
  'severity',
  'schema',
  'table',
  'column',
  'constraint',
  'routine',
] as const;

const deepestCause = 5;

function describeError(error: unknown, addresses: LogAddresses, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? clean(error, addresses) : error;

  const described: Record<string, unknown> = { type: error.name, message: clean(error.message, addresses) };
  for (const field of tellingFields) {
    const value = (error as unknown as Record<string, unknown>)[field];
    if (typeof value === 'number') described[field] = value;
    if (typeof value === 'string') described[field] = clean(value, addresses);
  }
  if (error.stack) described.stack = clean(error.stack, addresses);
  if (depth < deepestCause) {
    if (error.cause !== undefined) described.cause = describeError(error.cause, addresses, depth + 1);
    if (error instanceof AggregateError) {
      described.errors = error.errors.map((each) => describeError(each, addresses, depth + 1));
    }
    if (error instanceof SuppressedError) {
      described.error = describeError(error.error, addresses, depth + 1);
      described.suppressed = describeError(error.suppressed, addresses, depth + 1);
    }
  }
  return described;
}

function clean(text: string, addresses: LogAddresses): string {
  // Up to the last @ before a space or quote, because people forget to percent-encode an @ in a password.
  const withoutCredentials = text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'`<>]*@/gi, '$1***@');
  return addresses === 'full' ? withoutCredentials : maskAddresses(withoutCredentials);
}

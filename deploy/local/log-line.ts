// JSON log lines as people read them: the message, then what it is about.

// Known from the column in front, or of no use on a terminal.
const silent = new Set(['level', 'time', 'process', 'msg', 'pid', 'hostname', 'instance']);

/** `{"level":"warn","msg":"Deferred","queueId":"4X"}` becomes `WARN Deferred queueId=4X`. Other lines stay as they are. */
export function readable(line: string): string {
  const entry = parse(line);
  if (!entry) return line;
  const level =
    entry.level === 'info' || entry.level === undefined ? '' : `${String(entry.level).toUpperCase()} `;
  const details = Object.entries(entry)
    .filter(([key, value]) => !silent.has(key) && value !== undefined && value !== null)
    .map(([key, value]) => (key === 'err' ? describe(value) : `${key}=${inWords(value)}`));
  return [`${level}${entry.msg ?? ''}`, ...details].join(' ').trim();
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function describe(error: unknown): string {
  const { message, stack } = (error ?? {}) as { message?: unknown; stack?: unknown };
  return String(stack ?? message ?? inWords(error));
}

function inWords(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /\s/.test(text) && typeof value === 'string' ? JSON.stringify(value) : text;
}

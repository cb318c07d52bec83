// `npm run read-bounce -- FILE…`: what delivery reports say, one JSON line a file. Connects nowhere.
import { open } from 'node:fs/promises';
import { readLimit } from './bounces/parts.ts';
import { readReport } from './bounces/read-report.ts';

const files = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write('Usage: npm run --silent read-bounce -- FILE…\n');
  process.exitCode = 2;
}
for (const file of files) process.stdout.write(`${JSON.stringify(await lineOf(file))}\n`);

async function lineOf(file: string): Promise<object> {
  let bytes: Buffer;
  try {
    bytes = await beginning(file);
  } catch (error) {
    process.exitCode = 1;
    return {
      file,
      recipients: [],
      message_id: null,
      error: (error as NodeJS.ErrnoException).code ?? 'unreadable',
    };
  }
  const reading = await readReport(bytes);
  if (reading.outcome === 'unreadable')
    return { file, recipients: [], message_id: null, error: 'unreadable' };
  if (reading.outcome === 'none') return { file, recipients: [], message_id: null };
  const { recipients, returned } = reading;
  return {
    file,
    recipients: recipients.map(({ address, action, status, code, reply, hard, cause }) => ({
      address,
      action,
      status,
      code,
      reply,
      hard,
      cause,
    })),
    message_id: returned.messageIds[0] ?? null,
    ...(returned.queueIds[0] === undefined ? {} : { queue_id: returned.queueIds[0] }),
  };
}

/** As much of the file as is ever read. */
async function beginning(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(readLimit), 0, readLimit, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

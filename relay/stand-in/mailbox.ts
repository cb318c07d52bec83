// Where the stand-in keeps what it took: the bytes as ID.eml, and what only the conversation knew as ID.json.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';

/** What only the conversation knew. */
export type Envelope = {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly user: string;
  readonly tls: 'implicit' | 'starttls';
};

/** One mail in the list: its envelope, and what its header says. */
export type Entry = Envelope & {
  readonly id: string;
  readonly receivedAt: string;
  readonly subject: string;
  readonly from: string;
  readonly messageId: string;
};

export type Mailbox = {
  readonly directory: string;
  /** Resolves with the id once both files are written; only then may the client hear 250. */
  keep(envelope: Envelope, bytes: Buffer): Promise<string>;
  /** Newest first. */
  list(): readonly Entry[];
  /** The mail as it came in; undefined when there is none of that id. */
  read(id: string): Promise<{ entry: Entry; bytes: Buffer } | undefined>;
};

/** Opens the mailbox in `directory`, with what earlier runs left in it. */
export async function openMailbox(directory: string): Promise<Mailbox> {
  await mkdir(directory, { recursive: true });
  const kept = (await readdir(directory)).filter((file) => file.endsWith('.json')).sort();
  const entries = await Promise.all(
    kept.map(async (file) => JSON.parse(await readFile(join(directory, file), 'utf8')) as Entry),
  );

  return {
    directory,
    async keep(envelope, bytes) {
      const now = new Date();
      // Sorts by time and is a file name everywhere.
      const id = `${now.toISOString().replace(/[^0-9]/g, '')}-${randomBytes(3).toString('hex')}`;
      const { subject = '(no subject)', from, messageId = '' } = await simpleParser(headerOf(bytes));
      const entry = {
        id,
        receivedAt: now.toISOString(),
        ...envelope,
        subject,
        from: from?.text ?? '',
        messageId,
      };
      await writeFile(join(directory, `${id}.eml`), bytes);
      await writeFile(join(directory, `${id}.json`), JSON.stringify(entry));
      entries.push(entry);
      return id;
    },
    list: () => entries.toReversed(),
    async read(id) {
      const entry = entries.find((each) => each.id === id);
      return entry && { entry, bytes: await readFile(join(directory, `${id}.eml`)) };
    },
  };
}

/** A list needs no bodies, and a large one takes as long to read as to receive. */
function headerOf(bytes: Buffer): Buffer {
  const end = bytes.indexOf('\r\n\r\n');
  return end < 0 ? bytes : bytes.subarray(0, end + 4);
}

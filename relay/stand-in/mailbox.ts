// Where the stand-in keeps what it took: the bytes as ID.eml, and what only the conversation knew as ID.json.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the bytes do not tell: the envelope, and how the mail came in. */
export type Envelope = {
  readonly id: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly user: string;
  readonly tls: 'implicit' | 'starttls';
  readonly receivedAt: string;
};

export type Mailbox = {
  readonly directory: string;
  /** Resolves with the id once both files are written; only then may the client hear 250. */
  keep(envelope: Omit<Envelope, 'id' | 'receivedAt'>, bytes: Buffer): Promise<string>;
  /** Newest first. */
  list(): Promise<Envelope[]>;
  /** The mail as it came in; undefined when there is none of that id. */
  read(id: string): Promise<{ envelope: Envelope; bytes: Buffer } | undefined>;
};

/** Opens the mailbox in `directory`, with what earlier runs left in it. */
export async function openMailbox(directory: string): Promise<Mailbox> {
  await mkdir(directory, { recursive: true });
  const fileOf = (id: string, kind: 'eml' | 'json') => join(directory, `${id}.${kind}`);

  async function read(id: string) {
    try {
      const envelope = JSON.parse(await readFile(fileOf(id, 'json'), 'utf8')) as Envelope;
      return { envelope, bytes: await readFile(fileOf(id, 'eml')) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  return {
    directory,
    read,
    async keep(envelope, bytes) {
      const now = new Date();
      // Sorts by time and is a file name everywhere.
      const id = `${now.toISOString().replace(/[^0-9]/g, '')}-${randomBytes(3).toString('hex')}`;
      await writeFile(fileOf(id, 'eml'), bytes);
      await writeFile(fileOf(id, 'json'), JSON.stringify({ id, receivedAt: now.toISOString(), ...envelope }));
      return id;
    },
    async list() {
      const ids = (await readdir(directory))
        .filter((file) => file.endsWith('.json'))
        .map((file) => file.slice(0, -'.json'.length))
        .sort()
        .reverse();
      return Promise.all(
        ids.map(async (id) => JSON.parse(await readFile(fileOf(id, 'json'), 'utf8')) as Envelope),
      );
    },
  };
}

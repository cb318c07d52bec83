// Attachments of an email: stored with it, read as a whole or in pieces.
import type { Queryable } from '../../../deploy/database.ts';

export type Attachment = {
  readonly filename: string;
  readonly contentType: string;
  /** For images that the HTML shows by `cid:`. */
  readonly contentId?: string | undefined;
  readonly content: Buffer;
};

/** An attachment of a stored email; its bytes come in pieces, so that nobody holds all of them. */
export type AttachedFile = Omit<Attachment, 'content'> & {
  readonly size: number;
  readonly pieces: () => AsyncGenerator<Buffer>;
};

/** Whole lines of base64, and what PostgreSQL cuts out of a large value at little cost. */
export const pieceBytes = 57 * 4096;

export async function insertAttachments(tx: Queryable, emailId: string, attachments: readonly Attachment[]) {
  // One statement each: an array of them would travel as text, at twice the size.
  for (const [ordinal, { filename, contentType, contentId, content }] of attachments.entries()) {
    await tx.query(
      `insert into email_attachment (email_id, ordinal, filename, content_type, content_id, content)
       values ($1, $2, $3, $4, $5, $6)`,
      [emailId, ordinal, filename, contentType, contentId ?? null, content],
    );
  }
}

/** The attachments of one email, in their order. */
export async function readAttachments(q: Queryable, emailId: string): Promise<Attachment[]> {
  const { rows } = await q.query<{
    filename: string;
    content_type: string;
    content_id: string | null;
    content: Buffer;
  }>(
    `select filename, content_type, content_id, content
     from email_attachment where email_id = $1 order by ordinal`,
    [emailId],
  );
  return rows.map((row) => ({
    filename: row.filename,
    contentType: row.content_type,
    contentId: row.content_id ?? undefined,
    content: row.content,
  }));
}

/** The attachments of one email, in their order, without their bytes. */
export async function openAttachments(q: Queryable, emailId: string): Promise<AttachedFile[]> {
  const { rows } = await q.query<{
    ordinal: number;
    filename: string;
    content_type: string;
    content_id: string | null;
    size: number;
  }>(
    `select ordinal, filename, content_type, content_id, octet_length(content) as size
     from email_attachment where email_id = $1 order by ordinal`,
    [emailId],
  );
  return rows.map(({ ordinal, size, ...row }) => ({
    filename: row.filename,
    contentType: row.content_type,
    contentId: row.content_id ?? undefined,
    size,
    pieces: () => readPieces(q, emailId, ordinal, size),
  }));
}

/** The column is stored uncompressed (`storage external`): PostgreSQL reads the wanted piece and nothing else. */
async function* readPieces(
  q: Queryable,
  emailId: string,
  ordinal: number,
  size: number,
): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; at += pieceBytes) {
    const { rows } = await q.query<{ piece: Buffer }>({
      name: 'attachment-piece',
      text: `select substring(content from $3 for $4) as piece
             from email_attachment where email_id = $1 and ordinal = $2`,
      values: [emailId, ordinal, at + 1, pieceBytes],
    });
    if (!rows[0]) throw new Error('An attachment was removed while it was read');
    yield rows[0].piece;
  }
}

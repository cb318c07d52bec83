// What a stored message says, read while it streams by.
import { expect, test } from 'vitest';
import { readContent, readFile, readPictures } from '../../../../relay/client/message/content.ts';

const crlf = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');

/** In pieces of a size that cuts lines, boundaries and groups of base64. */
async function* inPieces(octets: Buffer, size = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size);
}

async function bytesOf(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const letter = crlf(`From: a@example.com
Subject: =?utf-8?q?K=C3=A4se?=
Content-Type: multipart/mixed; boundary="outer"

Before the parts: not shown.
--outer
Content-Type: multipart/related; boundary=inner

--inner
Content-Type: multipart/alternative; boundary=alt

--alt
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--alt
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHA+R3LDvMOfZSA8aW1nIHNyYz0iY2lkOmxvZ29AeCI+PC9wPg==
--alt--
--inner
Content-Type: image/png; name="=?utf-8?q?L=C3=B6go.png?="
Content-ID: <logo@x>
Content-Disposition: inline
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--inner--
--outer
Content-Type: text/plain
Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe/../list.txt

one
two
--outer
Content-Type: message/rfc822

Subject: Inside
Content-Type: text/plain

The text of the mail inside is a file, not this mail's text.
--outer--
After the parts: not shown.
`);

test('texts in their character sets, files with their sizes, pictures by their ids', async () => {
  for (const size of [1, 7, 64, letter.length]) {
    const content = await readContent(inPieces(letter, size));
    expect(content).toMatchObject({
      text: 'Grüße',
      html: '<p>Grüße <img src="cid:logo@x"></p>',
      isCut: false,
      isMore: false,
    });
    expect(
      content.files.map(({ filename, contentType, size: bytes }) => [filename, contentType, bytes]),
    ).toEqual([
      ['Lögo.png', 'image/png', 8],
      ['Grüße_.._list.txt', 'text/plain', 8],
      ['part-5', 'message/rfc822', 105],
    ]);
  }
  const [picture] = await readPictures(inPieces(letter), new Set(['logo@x', 'none']));
  expect(picture).toMatchObject({ contentType: 'image/png', content: Buffer.from('iVBORw0KGgo=', 'base64') });
  const { files } = await readContent(inPieces(letter));
  expect(String(await bytesOf(readFile(inPieces(letter), files[1]?.ordinal ?? -1)))).toBe('one\r\ntwo');
});

test('a message without MIME is text, one without a body has none, and an unknown character set is read as it goes', async () => {
  expect(await readContent(inPieces(crlf('Subject: x\n\nHello\nyou\n')))).toMatchObject({
    text: 'Hello\r\nyou\r\n',
    html: null,
  });
  expect((await readContent(inPieces(crlf('Subject: x\n')))).files).toEqual([]);
  const odd = crlf('Content-Type: text/html; charset=nowhere-7\n\n<p>Hello</p>');
  expect(await readContent(inPieces(odd))).toMatchObject({ text: null, html: '<p>Hello</p>' });
});

test('of a long text the beginning is kept, and of many parts the first', async () => {
  const line = Buffer.from(`${'x'.repeat(998)}\r\n`);
  async function* long() {
    yield crlf('Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n');
    for (let n = 0; n < 3_000; n++) yield line;
    yield crlf('\n--b\nContent-Type: application/pdf\n\nabc\n--b--\n');
  }
  const content = await readContent(long());
  expect(content.isCut).toBe(true);
  expect(content.text).toHaveLength(1_000_000);
  expect(content.files).toMatchObject([{ contentType: 'application/pdf', size: 3 }]);

  const many = crlf(
    `Content-Type: multipart/mixed; boundary=b\n\n${'--b\nContent-Type: image/gif\n\nx\n'.repeat(2_000)}--b--\n`,
  );
  const { files, isMore } = await readContent(inPieces(many, 10_000));
  expect(files).toHaveLength(100);
  expect(isMore).toBe(true);

  // A picture that is too large to be written into the HTML keeps its id there.
  async function* large() {
    yield crlf('Content-Type: image/png\nContent-ID: <big>\n\n');
    for (let n = 0; n < 9_000; n++) yield line;
  }
  expect(await readPictures(large(), new Set(['big']))).toEqual([]);
});

test('a source that breaks off with an error is an error', async () => {
  async function* broken() {
    yield crlf('Subject: x\n\nHello');
    throw new Error('the database is away');
  }
  await expect(readContent(broken())).rejects.toThrow('the database is away');
});

// Signatures made before submission. The signers are nodemailer's and dkimpy's, the verifier is dkimpy: code that shares
// nothing with ours, over the octets that the provider got.
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import nodemailer from 'nodemailer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { logIn, startRelay, submitted } from './submitting.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'der' },
});
const record = `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}`;

/** Runs a line of Python that finds the message in `message`, and in `argument` what it is given. */
async function python(program: string, message: Buffer, argument = ''): Promise<Buffer> {
  // Debian's own, which knows Debian's packages; another one may come first in PATH.
  const child = spawn('/usr/bin/python3', [
    '-c',
    `import sys, dkim\nmessage, argument = sys.stdin.buffer.read(), sys.argv[1].encode()\n${program}`,
    argument,
  ]);
  const [out, wrong] = [child.stdout.toArray(), text(child.stderr)];
  child.stdin.end(message);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(await wrong);
  return Buffer.concat(await out);
}

/** What a receiver thinks of it, with the public key from DNS. */
async function verifies(message: Buffer): Promise<boolean> {
  const verdict = await python(
    'print(dkim.verify(message, dnsfunc=lambda name, timeout=5: argument))',
    message,
    record,
  );
  return verdict.toString().trim() === 'True';
}

const absent = await python('', Buffer.alloc(0)).then(
  () => undefined,
  () => 'dkimpy is not installed (Debian: apt-get install python3-dkim)',
);
if (absent) console.info(`Skipping the tests of DKIM signatures: ${absent}.`);

let stack: Stack;
beforeAll(async () => {
  if (!absent) stack = await startRelay({ relay: { DELIVERY_MODE: 'deliver' } });
});
afterAll(() => stack?.[Symbol.asyncDispose]());

async function arrived(messageId: string): Promise<Buffer> {
  const message = await until(() => stack.provider.copiesOf(messageId)[0], {
    what: `${messageId} to be with the provider`,
  });
  return message.raw;
}

/** One octet of the body is another one. */
function tamperedWith(message: Buffer): Buffer {
  const copy = Buffer.from(message);
  const at = copy.indexOf('\r\n\r\n') + 4;
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

test.skipIf(absent)(
  'a mail signed by nodemailer still carries a valid signature at the provider',
  async () => {
    const { relay } = stack;
    const { user, password } = relay.application;
    const transport = nodemailer.createTransport({
      host: '127.0.0.1',
      port: relay.port,
      ignoreTLS: true,
      auth: { user, pass: password },
      dkim: { domainName: 'example.com', keySelector: 'test', privateKey },
    });
    const messageId = '<signed-by-nodemailer@example.com>';
    await transport.sendMail({
      from: 'Änn <ann@example.com>',
      to: 'bob@example.net',
      bcc: 'eve@example.net',
      subject: 'Grüße, and a subject that is long enough to be folded into more than a single line',
      headers: { 'X-Postern-Idempotency-Key': 'signed', 'X-Folded': 'a '.repeat(200) },
      messageId,
      text: '.\n..\n.a line that begins with a dot\n',
      html: '<p>Grüße</p>',
      attachments: [
        { filename: 'octets', content: Buffer.from(Array.from({ length: 70_000 }, (_, n) => n & 255)) },
      ],
    });
    const raw = await arrived(messageId);
    expect(raw.toString('latin1')).not.toMatch(/^(bcc|x-postern)/im);
    expect(await verifies(raw)).toBe(true);
    expect(await verifies(tamperedWith(raw))).toBe(false);
  },
);

test.skipIf(absent)(
  'so does one that forgives nothing: simple canonicalisation, eight bits, odd folding, trailing blanks',
  async () => {
    const messageId = '<signed-by-dkimpy@example.com>';
    const unsigned = Buffer.from(
      'From:   Ann\t<ann@example.com>\r\nDate: x\r\nSUBJECT:two  blanks \xe4 \r\n\tand a tab \r\n' +
        `Message-ID: ${messageId}\r\nX-Empty:\r\n\r\n.\r\n..\r\n trailing \t \r\n\xff\xfe\r\n${'z'.repeat(2_000)}\r\n\r\n\r\n`,
      'latin1',
    );
    const signature = await python(
      "sys.stdout.buffer.write(dkim.sign(message, b'test', b'example.com', argument, canonicalize=(b'simple', b'simple')))",
      unsigned,
      privateKey,
    );
    await using client = await logIn(stack);
    await submitted(client, Buffer.concat([signature, unsigned]));
    const raw = await arrived(messageId);
    expect(raw.toString('latin1')).toContain('c=simple/simple');
    expect(await verifies(raw)).toBe(true);
    expect(await verifies(tamperedWith(raw))).toBe(false);
  },
);

// Mail as a template makes it: text and HTML of about 4 KB, each with a name, numbers and a Message-ID of its own.
// smtp-source repeats one letter, which is no measure of what mail takes on a disk that compresses.
import { once } from 'node:events';
import { createTransport } from 'nodemailer';

/** Sends invoices over so many sessions, each used again and again, until all are accepted. */
export async function sendLetters({
  port,
  messages,
  sessions,
}: {
  port: number;
  messages: number;
  sessions: number;
}): Promise<void> {
  const transport = createTransport({
    host: '127.0.0.1',
    port,
    secure: false,
    ignoreTLS: true,
    pool: true,
    maxConnections: sessions,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  try {
    const sending: Promise<unknown>[] = [];
    for (let n = 0; n < messages; n++) {
      while (!transport.isIdle()) await once(transport, 'idle');
      sending.push(transport.sendMail(letter(n)));
    }
    await Promise.all(sending);
  } finally {
    transport.close();
  }
}

function letter(n: number) {
  const number = `2026-${10_000 + n * 7}`;
  const name = `${names[n % names.length]} ${names[(n * 7 + 3) % names.length]}son`;
  const token = Buffer.from(String(n * 7_919)).toString('base64url');
  const link = `https://app.example.com/invoices/${number}?token=${token}`;
  const lines = products.map((product, at) => ({
    product,
    price: (((n * 37 + at * 911) % 9_000) + 999) / 100,
  }));
  const total = lines.reduce((sum, { price }) => sum + price, 0).toFixed(2);
  return {
    from: 'Example Billing <ann@example.com>',
    to: 'bob@example.net',
    subject: `Your invoice ${number} over ${total} EUR`,
    text: [
      `Hello ${name},`,
      `your invoice ${number} over ${total} EUR is due in 14 days. You can pay by card or by bank transfer:`,
      link,
      'If you have paid in the meantime, there is nothing to do.',
      'Kind regards\nExample Billing',
    ].join('\n\n'),
    html: `<!doctype html><html><body style="margin:0;background:#f3f4f6"><table role="presentation" width="600">
<tr><td style="${cell}">Hello ${name},</td></tr>
<tr><td style="${cell}">your invoice <strong>${number}</strong> is due in 14 days.</td></tr>
${lines.map(({ product, price }) => `<tr><td style="${cell}">${product}</td><td style="${cell}">${price} EUR</td></tr>`).join('\n')}
<tr><td style="${cell}"><strong>Total</strong></td><td style="${cell}"><strong>${total} EUR</strong></td></tr>
<tr><td><a href="${link}" style="padding:12px 24px;background:#2563eb;color:#ffffff">Pay the invoice</a></td></tr>
<tr><td style="${cell}">If you have paid in the meantime, there is nothing to do.</td></tr>
</table></body></html>`,
  };
}

const cell =
  'padding:8px;font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:24px;color:#1f2937';
const names = ['Amara', 'Björn', 'Chidi', 'Dana', 'Emre', 'Freya', 'Goran', 'Hana', 'Ivo', 'Jürgen', 'Kofi'];
const products = [
  'Team plan, twelve seats, December',
  'Additional storage, 250 GB, December',
  'Priority support, business days until 18:00',
  'Audit log, retention of 400 days',
  'Single sign-on with an identity provider of your own',
  'Export to your warehouse, hourly',
];

import { createTransport } from 'nodemailer';

const { MAIL_HOST, MAIL_PORT, MAIL_USERNAME, MAIL_PASSWORD, MAIL_FROM, MAIL_TO } = process.env;

// One transport for the whole application. `pool` keeps its connections for the next mail.
const transport = createTransport({
  host: MAIL_HOST,
  port: Number(MAIL_PORT),
  secure: false, // true only for RELAY_TLS_PORT
  requireTLS: false, // true once the relay has a certificate
  auth: { user: MAIL_USERNAME, pass: MAIL_PASSWORD },
  pool: true,
});

const { response } = await transport.sendMail({
  from: { name: 'Example Shop', address: MAIL_FROM },
  to: MAIL_TO,
  subject: 'Your order 4711 – Grüße',
  text: 'Thank you for your order.\n',
});
console.log(response); // 250 2.0.0 queued as …
transport.close();

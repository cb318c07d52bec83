// An invented shop on its busy Monday, for pictures: mail of every status, by real processes and a real provider that
// misbehaves for some; what takes days is written into the database.
import { createTransport } from 'nodemailer';
import { acceptThen, drop } from '../../../kit/misbehaviour.ts';
import type { Moment } from '../../../kit/provider.ts';
import type { Stack } from '../../../kit/stack.ts';
import { until } from '../../../kit/until.ts';

const people = [
  ['Ann Baker', 'ann.baker@riverside.example'],
  ['Ben Osei', 'ben@osei-music.example'],
  ['Chiara Rossi', 'chiara.rossi@studio-rossi.example'],
  ['Dagny Berg', 'dagny@nordlys.example'],
  ['Emeka Obi', 'emeka.obi@obi-legal.example'],
  ['Femi Adeyemi', 'femi@lagos-prints.example'],
  ['Greta Lindqvist', 'greta@lindqvist.example'],
  ['Hana Kim', 'hana.kim@kimchi-club.example'],
] as const;
const companies = [
  'Riverside Yoga',
  'Osei Music School',
  'Studio Rossi',
  'Nordlys Physiotherapy',
  'Obi Legal',
  'Lagos Prints',
  'Lindqvist Dental',
  'Kimchi Club',
];

const mailbox = ([name, address]: readonly [string, string]) => `${name} <${address}>`;

const letter = (
  heading: string,
  text: string,
  button: string,
) => `<!doctype html><html><body style="margin:0">
<div style="background:#eef1ee;padding:32px 16px;font:16px/1.55 'Helvetica Neue',Arial,sans-serif;color:#26332f">
<div style="max-width:480px;margin:auto"><p style="font-weight:700;letter-spacing:.04em;color:#2f6f5e">TIDEWATER</p>
<div style="background:#fff;border-radius:10px;padding:28px 32px"><h1 style="margin:0 0 12px;font-size:24px">${heading}</h1>
<p>${text}</p><p style="margin:24px 0 4px"><a href="https://app.tidewater.example/calendar"
style="background:#2f6f5e;color:#fff;padding:11px 20px;border-radius:7px;text-decoration:none;font-weight:600">${button}</a></p>
</div><p style="font-size:13px;color:#63706b">Tidewater, bookings for small studios. <img src="https://cdn.tidewater.example/seal.png"
alt="" width="14" height="14"></p></div></div></body></html>`;

export const senders = 'hello@tidewater.example,billing@tidewater.example';

/** Everything that the pages can show. */
export async function fillShop(stack: Stack): Promise<void> {
  misbehave(stack);
  await makeKeys(stack);
  await makePeople(stack);
  await makeCustomers(stack);
  await schedule(stack);
  await sendDay(stack);
  await submitOverSmtp(stack);
  await settle(stack);
  await writeWeek(stack);
  await writeWebhooks(stack);
  await writeDomain(stack);
}

function misbehave({ provider }: Stack) {
  const to =
    (...domains: string[]) =>
    ({ recipient = '' }: Moment) =>
      domains.some((domain) => recipient.endsWith(domain));
  provider.on('mail', '550 5.7.60 SMTP; Client does not have permissions to send as this sender', {
    when: ({ command }) => command.includes('<billing@'),
  });
  provider.on('rcpt', '550 5.1.1 Recipient address rejected: User unknown in virtual mailbox table', {
    when: to('@typo.example'),
  });
  provider.on('rcpt', '451 4.7.1 Greylisting in action, please come back later', {
    when: to('@lagos-prints.example'),
  });
  provider.on('rcpt', '552 5.2.2 Mailbox size limit exceeded', { when: to('@full.example') });
  provider.on('rcpt', '554 5.3.7 Cluster policy 118 declines this traffic', { when: to('@odd.example') });
  provider.on('dot', acceptThen(drop), {
    when: ({ envelope }) => envelope.recipients.some((each) => each.includes('@kimchi-club.example')),
    times: 1,
  });
}

const post = async ({ api }: Stack, path: string, body: unknown) => {
  const answer = await api.post(path, body);
  if (answer.status >= 400)
    throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const send = (stack: Stack, body: Record<string, unknown>) => post(stack, '/api/v1/emails', body);

async function makeKeys(stack: Stack) {
  await post(stack, '/api/v1/keys', {
    name: 'Web shop',
    scopes: ['send'],
    per_hour: 2_000,
    tags: [{ name: 'app', value: 'shop' }],
  });
  await post(stack, '/api/v1/keys', {
    name: 'Booking service',
    scopes: ['send', 'read'],
    senders: ['hello@tidewater.example'],
  });
  await post(stack, '/api/v1/keys', {
    name: 'Grafana',
    scopes: ['read'],
    expires_at: new Date(Date.now() + 40 * 86_400_000).toISOString(),
  });
  const { id } = await post(stack, '/api/v1/keys', { name: 'Old laptop of Ben', scopes: ['send'] });
  await stack.api.delete(`/api/v1/keys/${id}`);
}

async function makePeople(stack: Stack) {
  for (const [name, role] of [
    ['dagny', 'operate'],
    ['femi.support', 'view'],
    ['hana', 'admin'],
  ])
    await post(stack, '/api/v1/people', { name, role });
}

async function makeCustomers(stack: Stack) {
  for (const [index, [name, email]] of people.entries()) {
    await post(stack, '/api/customers', {
      name: companies[index],
      email: email.replace(/^[^@]+/, 'office'),
      owner: { name, email },
      sendInvitation: index !== 3,
    });
  }
  await stack.database.query(
    `update customer set status = 'active', activated_at = now() - interval '3 days' where name in ('Riverside Yoga', 'Studio Rossi', 'Obi Legal')`,
  );
  for (const [company, contact, message] of [
    ['Harbour Bakery', 'Kim Sato', 'We would like to send about 500 receipts a day, from two shops.'],
    ['Alpenblick Tours', 'Lena Huber', 'Reminders for hikes. Mostly in summer.'],
    ['Quick Loans 4 U', 'John D.', 'need to reach 2 million people fast'],
  ] as const) {
    const host = `${company.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.example`;
    await post(stack, '/api/onboarding/applications', {
      company,
      contact_name: contact,
      email: `office@${host}`,
      message,
    });
  }
}

async function sendDay(stack: Stack) {
  const subjects = [
    'Your booking is confirmed',
    'Receipt for November',
    'Reset your password',
    'A new message from your studio',
  ];
  for (let index = 0; index < 28; index++) {
    const person = people[(index * 5) % people.length] as (typeof people)[number];
    if (person[1].includes('lagos') && index > 16) continue;
    await send(stack, {
      to: mailbox(person),
      subject: `${subjects[index % subjects.length]}${index % 4 === 1 ? `, no. ${20_410 + index}` : ''}`,
      html: letter(
        subjects[index % subjects.length] ?? '',
        'Thank you for using Tidewater.',
        'Open the calendar',
      ),
      text: 'Thank you for using Tidewater.',
      tags: [{ name: 'app', value: index % 3 === 0 ? 'shop' : 'booking' }],
    });
  }
  await send(stack, {
    to: 'Ivo Marin <ivo.marin@typo.example>',
    subject: 'Your booking is confirmed',
    text: 'Hello Ivo',
  });
  await send(stack, { to: 'studio@full.example', subject: 'Receipt for November, no. 20477', text: 'Hello' });
  await send(stack, { to: 'front-desk@odd.example', subject: 'Your booking is confirmed', text: 'Hello' });
  for (const index of [0, 2, 4]) {
    const person = people[index] as (typeof people)[number];
    await send(stack, {
      from: 'Tidewater Billing <billing@tidewater.example>',
      to: mailbox(person),
      subject: `Invoice 2026-${311 + index}`,
      text: 'Your invoice is attached.',
    });
  }
  await send(stack, {
    to: [mailbox(people[0]), mailbox(people[2]), 'Theo <theo@typo.example>'],
    subject: 'Plan of the week',
    text: 'The plan of the week.',
  });
  await send(stack, {
    to: mailbox(people[0]),
    subject: 'Your table for Thursday, 19:30',
    html: letter(
      'See you on Thursday',
      'Your table for six is booked for Thursday at 19:30. The plan of the room and the menu are attached.',
      'Change the booking',
    ),
    text: 'Your table for six is booked for Thursday at 19:30.',
    attachments: [
      {
        filename: 'menu.pdf',
        content_type: 'application/pdf',
        content: Buffer.from('%PDF-1.4 menu'.repeat(900)).toString('base64'),
      },
      { filename: 'plan.png', content_type: 'image/png', content: picture },
    ],
  });
}

// 1 × 1, so that there is a picture at all.
const picture =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function submitOverSmtp({ relay }: Stack) {
  const transport = createTransport({
    host: '127.0.0.1',
    port: relay.port,
    auth: { user: relay.application.user, pass: relay.application.password },
    tls: { rejectUnauthorized: false },
  });
  const from = 'Tidewater <hello@tidewater.example>';
  await transport.sendMail({
    from,
    to: 'ops@tidewater.example',
    subject: 'Backup of Monday finished',
    text: 'All good.',
  });
  await transport.sendMail({
    from,
    to: mailbox(people[4]),
    subject: 'Weekly report',
    text: 'The numbers of last week.',
  });
  await transport
    .sendMail({ from: 'root@db-3.internal.example', to: 'ops@tidewater.example', subject: 'cron', text: 'x' })
    .catch(() => {});
  const wrong = createTransport({
    host: '127.0.0.1',
    port: relay.port,
    auth: { user: 'printer', pass: 'guess' },
    tls: { rejectUnauthorized: false },
  });
  for (let n = 0; n < 3; n++)
    await wrong.sendMail({ from, to: 'a@tidewater.example', subject: 'Scan', text: 'x' }).catch(() => {});
  transport.close();
  wrong.close();
}

/** Until what is on its way came somewhere. */
const settle = ({ database }: Stack) =>
  until(
    async () => {
      const { rows } = await database.query<{ open: number }>(
        "select count(*)::int as open from email where status in ('queued', 'sending') or (status = 'pending' and due_at < now())",
      );
      return rows[0]?.open === 0;
    },
    { timeoutMs: 60_000, what: 'the mail of the day' },
  );

async function schedule(stack: Stack) {
  const at = (days: number, clock: string) =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)}T${clock}:00`;
  const forms = [
    [
      'riverside-yoga',
      'Europe/Lisbon',
      people[0],
      ['Your week at Riverside Yoga', 'Class on Tuesday moved to 18:00', 'Membership ends in a week'],
    ],
    [
      'nordlys-physio',
      'Europe/Oslo',
      people[3],
      ['Reminder: appointment with Dagny', 'How are you feeling?'],
    ],
    [
      'osei-music',
      'America/New_York',
      people[1],
      ['Recital on Saturday: what to bring', 'New term starts in January'],
    ],
  ] as const;
  for (const [client, zone, person, subjects] of forms) {
    const answer = await stack.api.put(`/api/v1/client/${client}/email-config`, {
      enabled: client !== 'osei-music',
      recipients: [mailbox(person)],
      from_name: 'Tidewater',
      time_zone: zone,
      emails: subjects.map((subject, index) => ({
        key: `notice-${index + 1}`,
        subject,
        text: `Hello ${person[0].split(' ')[0]},\n\nthis is what we wanted to tell you.`,
        scheduled_datetime: at(index + 1, ['09:00', '17:30', '08:15'][index] ?? '09:00'),
      })),
    });
    if (answer.status >= 400) throw new Error(JSON.stringify(answer.body));
  }
  for (const hours of [3, 20, 27, 51, 75]) {
    const person = people[hours % people.length] as (typeof people)[number];
    await send(stack, {
      to: mailbox(person),
      subject: 'Reminder: your booking tomorrow',
      text: 'See you tomorrow.',
      scheduled_datetime: new Date(Date.now() + hours * 3_600_000).toISOString(),
    });
  }
  const { id } = await send(stack, {
    to: mailbox(people[6]),
    subject: 'Reminder: payment is due',
    text: 'x',
    scheduled_datetime: new Date(Date.now() + 3_600_000).toISOString(),
  });
  await post(stack, `/api/v1/emails/${id}/cancel`, undefined);
}

/** What is over is spread over the day, and the week before has its numbers. */
async function writeWeek({ database }: Stack) {
  const earlier = `(select id, queue_id, row_number() over (order by id desc) ^ 2 * interval '25 seconds' as by from email where kind <> 'scheduled' and status <> 'pending')`;
  await database.query(
    `update email e set created_at = created_at - by, due_at = due_at - by, accepted_at = accepted_at - by, finished_at = finished_at - by from ${earlier} m where m.id = e.id`,
  );
  for (const [table, column] of [
    ['recipient', 'finished_at'],
    ['message', 'received_at'],
    ['event', 'at'],
  ] as const)
    await database.query(
      `update ${table} t set ${column} = ${column} - by from ${earlier} m where m.queue_id = t.queue_id`,
    );
  await database.query(
    `update event t set at = at - by from ${earlier} m where m.id = t.email_id and t.queue_id is null`,
  );
  await database.query(
    `insert into mail_minute (minute, sent, bounced, expired, other, lateness_p50_ms, lateness_p99_ms)
     select minute, greatest(0, (busy * (3 + 4 * random()))::integer), (random() < 0.02)::integer, 0, 0, 40 + 30 * random(), 180 + 500 * random() ^ 6 * 8
     from (select minute, greatest(0, sin((extract(hour from minute) - 6) / 24 * 2 * pi())) * case when extract(isodow from minute) > 5 then 0.3 else 1 end as busy
           from generate_series(date_trunc('minute', now()) - interval '7 days', date_trunc('minute', now()) - interval '1 minute', '1 minute') minute) w
     where busy > 0.05
     on conflict (minute) do update set sent = excluded.sent, bounced = excluded.bounced, lateness_p50_ms = excluded.lateness_p50_ms, lateness_p99_ms = excluded.lateness_p99_ms`,
  );
  await database.query(
    `insert into mail_hour (hour, counted_until, accepted, refused, expired, returned, waiting_most, waiting_last, delays)
     select hour, hour + interval '1 hour', sent, (sent * random() / 50)::integer, 0, (sent * random() / 400)::integer, (2 + sent * random() / 12)::integer, 0,
       array(select case when class between 12 and 16 then (sent + 4) / 5 when class between 17 and 22 then (random() * 1.4)::integer else 0 end from generate_series(0, 26) class)
     from (select hour, (busy * (120 + 60 * random()))::integer as sent
           from (select hour, greatest(0.04, sin((extract(hour from hour) - 5) / 24 * 2 * pi())) * case when extract(isodow from hour) > 5 then 0.35 else 1 end as busy
                 from generate_series(date_trunc('hour', now(), 'UTC') - interval '167 hours', date_trunc('hour', now(), 'UTC') - interval '1 hour', '1 hour') hour) w) counted
     on conflict (hour) do update set accepted = excluded.accepted, refused = excluded.refused, waiting_most = excluded.waiting_most, delays = excluded.delays`,
  );
  await database.query(
    `insert into suppression (id, address, digest, reason, cause, reply, note, created_at)
     select gen_random_uuid(), address, suppression_digest(address), reason, cause, reply, note, now() - interval '1 day' * n
     from (values
       (2, 'm.keller@old-mill.example', 'complaint', null, null, null),
       (5, 'kim@seaside.example', 'manual', null, null, 'Asked by telephone'),
       (9, 'info@closed-shop.example', 'bounce', 'user-unknown', '550 5.1.1 <info@closed-shop.example>: User unknown', null)
     ) as given (n, address, reason, cause, reply, note) on conflict do nothing`,
  );
}

async function writeWebhooks(stack: Stack) {
  const hooks: string[] = [];
  for (const [url, description] of [
    ['https://hooks.tidewater.example/postern', 'Booking service'],
    ['https://crm.example.com/mail-events', 'CRM'],
  ] as const)
    hooks.push((await post(stack, '/api/v1/webhooks', { url, description })).id);
  const deliveries = `
    insert into webhook_delivery (id, webhook_id, type, data, email_id, status, next_attempt_at, attempts, attempted_at, answer_status, answer, error, duration_ms, at)
    select new_webhook_event_id(), $1::uuid, given.type, jsonb_build_object('email_id', m.id, 'recipient', m.recipients->0->>'address', 'status', m.status), m.id, given.status,
      case when given.status = 'waiting' then now() + interval '5 minutes' end, given.attempts, m.finished_at, given.answered, given.answer, given.error, 38 + m.n * 7, m.finished_at
    from (select id, recipients, status, finished_at, row_number() over (order by id desc) as n from email where status in ('sent', 'bounced') limit 12) m
    join (values (0, 'email.sent', 'delivered', 1, 200, 'ok', null), (1, 'email.sent', 'delivered', 1, 204, '', null), (2, 'email.bounced', 'waiting', 2, 503, 'busy', 'it answered 503'),
                 (3, 'email.sent', 'failed', 9, null, null, 'connection refused')) as given (slot, type, status, attempts, answered, answer, error) on given.slot = m.n % $2`;
  await stack.database.query(deliveries, [hooks[0], 2]);
  await stack.database.query(deliveries, [hooks[1], 4]);
}

async function writeDomain({ database }: Stack) {
  const finding = (check: string, result: string, title: string, more: Record<string, unknown> = {}) => ({
    check,
    result,
    cause: `${check}-${result}`,
    title,
    fix: null,
    record: null,
    evidence: [],
    ...more,
  });
  await database.query(
    `insert into sender_domain (domain, provider, checked_at, result, settled, settled_at, findings, receivers)
     values ('tidewater.example', 'privateemail', now() - interval '3 hours', 'warn', 'warn', now(), $1, $2)
     on conflict (domain) do update set checked_at = excluded.checked_at, result = excluded.result, settled = excluded.settled, settled_at = excluded.settled_at, findings = excluded.findings, receivers = excluded.receivers`,
    [
      JSON.stringify([
        finding('spf', 'pass', 'SPF allows the provider to send.'),
        finding('dkim', 'pass', 'The key of default._domainkey.tidewater.example is published.'),
        finding('dmarc', 'warn', 'There is no DMARC record.', {
          fix: 'Add this record where the zone is edited.',
          record: {
            name: '_dmarc.tidewater.example',
            type: 'TXT',
            host: '_dmarc',
            value: 'v=DMARC1; p=none; rua=mailto:postmaster@tidewater.example',
          },
        }),
      ]),
      JSON.stringify(
        ['Gmail', 'Yahoo', 'Outlook.com'].map((receiver) => ({
          receiver,
          answer: receiver === 'Outlook.com' ? 'yes' : 'no',
          says: 'Asks for DMARC.',
          codes: [],
        })),
      ),
    ],
  );
}

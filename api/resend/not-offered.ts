// What the client can ask for and Postern does not do: refused by name, with what to use instead.
import { type RequestHandler, Router } from 'express';
import { Problem } from '../problem.ts';

const marketing = 'Postern sends transactional mail: keep newsletters and their lists at a service for them';
const receiving = 'Postern receives no mail: point your MX at a mailbox, and read it there';
const domains =
  'Which domains may send is set by SMTP_ALLOWED_SENDERS of the relay; GET /resend/domains shows what DNS says of them';

const families: Readonly<Record<string, string>> = {
  audiences: marketing,
  automations: marketing,
  broadcasts: marketing,
  'contact-properties': marketing,
  contacts: marketing,
  events: marketing,
  inboxes: receiving,
  logs: 'GET /api/v1/emails/{id}/events is the timeline of an email',
  oauth: 'Postern knows API keys: /resend/api-keys',
  segments: marketing,
  templates:
    'Put the finished subject, text and html into the request; React Email renders in your application',
  topics: 'Postern keeps no topics: its suppression list is at /resend/suppressions',
  usage: 'GET /metrics counts mail, and a key can have limits of its own (PATCH /api/v1/keys/{id})',
};

type Refusal = readonly [method: 'all' | 'post' | 'patch' | 'delete' | 'get', path: string, instead: string];

const single: readonly Refusal[] = [
  ['get', '/emails/metrics', 'GET /metrics counts mail by its status'],
  ['all', '/emails/receiving{/*rest}', receiving],
  ['post', '/emails/:id/share', 'The dashboard shows an email to whoever may sign in'],
  ['post', '/domains', domains],
  ['all', '/domains/claim', domains],
  ['patch', '/domains/:id', domains],
  ['delete', '/domains/:id', domains],
  [
    'all',
    '/domains/:id/*rest',
    `${domains}; the relay looks at DNS once a day, and at GET /api/v1/domains/{domain}/check`,
  ],
  ['get', '/webhooks/:id/events/:event', 'GET /resend/webhooks/{id}/events lists the events'],
  [
    'get',
    '/webhooks/:id/events/:event/attempts',
    'GET /api/v1/webhooks/{id}/deliveries tells the number of attempts and the last answer',
  ],
];

/** Comes before the operations: `metrics` is no id of an email. */
export function notOfferedPages(): Router {
  const router = Router();
  for (const [family, instead] of Object.entries(families))
    router.all(`/resend/${family}{/*rest}`, refuse(instead));
  for (const [method, path, instead] of single) router[method](`/resend${path}`, refuse(instead));
  return router;
}

const refuse =
  (instead: string): RequestHandler =>
  ({ method, path }) => {
    throw new Problem('not-offered', `Postern does not offer ${method} ${path.slice(0, 100)}. ${instead}.`);
  };

// The least role for every act of the dashboard, of its own routes and of the API. Whatever is not in the list needs
// `admin`, and test/api/people/rights.test.ts compares the list with all routes that are mounted.
import { Problem } from '../problem.ts';
import { type Person, type Role, reaches, roles } from './role.ts';

/** `view` only where the API asks for no more than the scope `read`: such a session has no other. */
export const rights: Readonly<Record<string, Role>> = {
  // Looking.
  'GET /dashboard/stream': 'view',
  'GET /dashboard/overview': 'view',
  'GET /dashboard/minutes': 'view',
  'GET /dashboard/history': 'view',
  'GET /dashboard/attention': 'view',
  'GET /dashboard/scheduled': 'view',
  'GET /dashboard/emails': 'view',
  'GET /dashboard/emails/count': 'view',
  'GET /dashboard/emails/:id': 'view',
  'GET /dashboard/causes': 'view',
  'GET /dashboard/refusals': 'view',
  'GET /dashboard/submitted/:id': 'view',
  'GET /api/customers': 'view',
  'GET /api/customers/:id': 'view',
  'GET /api/v1/emails': 'view',
  'GET /api/v1/emails/:id': 'view',
  'GET /api/v1/emails/:id/events': 'view',
  'GET /api/v1/submitted-emails': 'view',
  'GET /api/v1/client/:client_id/email-config': 'view',
  'GET /api/v1/client/:client_id/scheduled-emails': 'view',
  'GET /api/v1/scheduled-emails': 'view',
  'GET /api/v1/scheduled-emails/:id': 'view',
  'GET /api/v1/suppressions': 'view',
  'GET /api/v1/suppressions/:address': 'view',
  'GET /api/v1/domains': 'view',
  'GET /api/v1/domains/:domain/check': 'view',
  // Anybody may, signed in or not.
  'GET /api/v1/email-status': 'view',
  'POST /api/invitations/accept': 'view',
  'POST /api/onboarding/applications': 'view',
  // One's own.
  'POST /dashboard/password': 'view',

  // What a mail says, and taking lists away.
  'GET /dashboard/emails.csv': 'operate',
  'GET /dashboard/emails/:id/preview': 'operate',
  'GET /dashboard/emails/:id/source': 'operate',
  'GET /dashboard/emails/:id/attachments/:ordinal': 'operate',
  'GET /dashboard/emails/:id/attachments/:ordinal/picture': 'operate',
  'GET /dashboard/submitted/:id/source': 'operate',
  'GET /dashboard/submitted/:id/content': 'operate',
  'GET /dashboard/submitted/:id/preview': 'operate',
  'GET /dashboard/submitted/:id/attachments/:ordinal': 'operate',
  'GET /dashboard/submitted/:id/attachments/:ordinal/picture': 'operate',
  'GET /api/v1/emails/:id/attachments': 'operate',
  'GET /api/v1/suppressions/export': 'operate',
  'GET /api/admin/onboarding/applications': 'operate',
  'GET /api/admin/onboarding/applications/:id': 'operate',
  'GET /api/v1/unknown-replies': 'operate',
  'GET /api/v1/test-email/config': 'operate',
  // Acting on mail, and on who gets it.
  'POST /dashboard/emails/act': 'operate',
  'POST /dashboard/doctor': 'operate',
  'POST /dashboard/try-now': 'operate',
  'POST /dashboard/clients/switch': 'operate',
  'POST /api/v1/emails/:id/cancel': 'operate',
  'POST /api/v1/emails/:id/retry': 'operate',
  'POST /api/v1/emails/:id/resolve': 'operate',
  'POST /api/v1/emails/:id/send-again': 'operate',
  'POST /api/v1/submitted-emails/:id/send-again': 'operate',
  'PUT /api/v1/client/:client_id/email-config': 'operate',
  'PATCH /api/v1/scheduled-emails/:id': 'operate',
  'POST /api/v1/scheduled-emails/:id/send-now': 'operate',
  'POST /api/v1/scheduled-emails/:id/cancel': 'operate',
  'DELETE /api/v1/scheduled-emails/:id': 'operate',
  'POST /api/v1/process-scheduled-emails': 'operate',
  'POST /api/v1/suppressions': 'operate',
  'POST /api/v1/suppressions/import': 'operate',
  'DELETE /api/v1/suppressions/:address': 'operate',
  'POST /api/v1/domains/:domain/canary': 'operate',
  'POST /api/v1/test-email': 'operate',
  'POST /api/customers': 'operate',
  'PATCH /api/customers/:id': 'operate',
  'POST /api/customers/:id/deactivate': 'operate',
  'POST /api/customers/:id/reactivate': 'operate',
  'POST /api/customers/:id/invitation': 'operate',
  'PATCH /api/admin/onboarding/applications/:id': 'operate',
  'POST /api/admin/onboarding/applications/:id/approve': 'operate',
  'POST /api/admin/onboarding/applications/:id/reject': 'operate',
  'POST /api/admin/onboarding/applications/:id/archive': 'operate',

  // What gives access, takes it away, or cannot be undone.
  'POST /api/v1/emails': 'admin',
  'POST /api/v1/emails/batch': 'admin',
  'DELETE /api/customers/:id': 'admin',
  'DELETE /api/admin/onboarding/applications/:id': 'admin',
  'DELETE /api/v1/recipients/:address': 'admin',
  'GET /api/v1/templates/invitation': 'admin',
  'PUT /api/v1/templates/invitation': 'admin',
  'DELETE /api/v1/templates/invitation': 'admin',
  'POST /api/v1/templates/invitation/preview': 'admin',
  'GET /api/v1/templates/rejection': 'admin',
  'PUT /api/v1/templates/rejection': 'admin',
  'DELETE /api/v1/templates/rejection': 'admin',
  'POST /api/v1/templates/rejection/preview': 'admin',
  'GET /api/v1/webhooks': 'admin',
  'POST /api/v1/webhooks': 'admin',
  'GET /api/v1/webhooks/:id': 'admin',
  'PATCH /api/v1/webhooks/:id': 'admin',
  'DELETE /api/v1/webhooks/:id': 'admin',
  'POST /api/v1/webhooks/:id/rotate-secret': 'admin',
  'POST /api/v1/webhooks/:id/test': 'admin',
  'GET /api/v1/webhooks/:id/deliveries': 'admin',
  'POST /api/v1/webhooks/:id/deliveries/:delivery_id/replay': 'admin',
  'POST /api/v1/webhooks/:id/replay': 'admin',
  'GET /api/v1/keys': 'admin',
  'POST /api/v1/keys': 'admin',
  'PATCH /api/v1/keys/:id': 'admin',
  'POST /api/v1/keys/:id/rotate': 'admin',
  'DELETE /api/v1/keys/:id': 'admin',
  'GET /api/v1/people': 'admin',
  'POST /api/v1/people': 'admin',
  'PATCH /api/v1/people/:id': 'admin',
  'POST /api/v1/people/:id/reset-password': 'admin',
  'GET /api/v1/audit': 'admin',
};

const patterns = Object.entries(rights).map(([act, role]) => {
  const [method = '', path = ''] = act.split(' ');
  const form = path.replaceAll(/[.]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+');
  // As a router reads it, which heeds neither case nor a slash at the end.
  return { method, form: new RegExp(`^${form}/?$`, 'i'), role };
});

/** Where several forms fit, a router may take any of them: the highest role counts. */
export function leastRole(method: string, path: string): Role {
  const asked = method === 'HEAD' ? 'GET' : method;
  const fitting = patterns.filter((each) => each.method === asked && each.form.test(path));
  if (fitting.length === 0) return 'admin';
  return roles.findLast((role) => fitting.some((each) => each.role === role)) ?? 'admin';
}

/** Throws `forbidden` unless the person may do that. */
export function permitPerson(person: Person, { method, path }: { method: string; path: string }): void {
  const needed = leastRole(method, path);
  if (reaches(person.role, needed)) return;
  throw new Problem(
    'forbidden',
    `Your role is ${person.role}; this needs ${needed}. An admin changes roles on the page People.`,
    { members: { needed, granted: [person.role] } },
  );
}

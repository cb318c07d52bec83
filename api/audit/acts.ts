// Which operations of the API are acts of the audit list, and on what. A test compares the list with all operations.
import type { Answer, Call } from '../operation.ts';
import type { ObjectKind } from './state.ts';

export type AuditedAct = {
  readonly kind: ObjectKind | undefined;
  /** Of the thing, before the act or, for something new, after it. */
  readonly idOf: (call: Call, answer?: Answer) => string | undefined;
  /** Whether it is so also when an admin key does it. */
  readonly byKeys: boolean;
  /** Such a call changes nothing, so it is no act. */
  readonly isLook?: (call: Call) => boolean;
};

const memberOf = (value: unknown, name: string): string | undefined => {
  const member = (value as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof member === 'string' ? member : undefined;
};

const named = (kind: ObjectKind, member = 'id'): AuditedAct => ({
  kind,
  idOf: ({ path }) => memberOf(path, member),
  byKeys: true,
});

const made = (kind: ObjectKind): AuditedAct => ({
  kind,
  idOf: (_, answer) => memberOf(answer?.body, 'id'),
  byKeys: true,
});

const anything: AuditedAct = { kind: undefined, idOf: () => undefined, byKeys: true };

// What applications do all day with a key of theirs says itself by which key it was made.
const onlyByPeople = (act: AuditedAct): AuditedAct => ({ ...act, byKeys: false });

const template = (kind: string): AuditedAct => ({ kind: 'template', idOf: () => kind, byKeys: true });

export const auditedActs: Readonly<Record<string, AuditedAct>> = {
  createCustomer: onlyByPeople({
    kind: 'customer',
    idOf: (_, answer) => memberOf((answer?.body as { customer?: unknown } | undefined)?.customer, 'id'),
    byKeys: true,
  }),
  updateCustomer: named('customer'),
  deactivateCustomer: named('customer'),
  reactivateCustomer: named('customer'),
  deleteCustomer: named('customer'),
  sendInvitationAgain: named('customer'),
  sendEmail: onlyByPeople(made('email')),
  sendEmails: onlyByPeople(anything),
  cancelEmail: named('email'),
  retryEmail: named('email'),
  resolveEmail: named('email'),
  sendEmailAgain: named('email'),
  sendSubmittedEmailAgain: named('message'),
  saveEmailConfig: {
    ...named('form', 'client_id'),
    isLook: ({ query }) => memberOf(query, 'preview') === 'true',
  },
  updateScheduledEmail: named('email'),
  sendScheduledEmailNow: named('email'),
  cancelScheduledEmail: named('email'),
  deleteScheduledEmail: named('email'),
  processScheduledEmails: onlyByPeople(anything),
  eraseRecipient: named('recipient', 'address'),
  updateApplication: named('application'),
  approveApplication: named('application'),
  rejectApplication: named('application'),
  archiveApplication: named('application'),
  deleteApplication: named('application'),
  putInvitationTemplate: template('invitation'),
  deleteInvitationTemplate: template('invitation'),
  putRejectionTemplate: template('rejection'),
  deleteRejectionTemplate: template('rejection'),
  createWebhook: made('webhook'),
  updateWebhook: named('webhook'),
  deleteWebhook: named('webhook'),
  rotateWebhookSecret: named('webhook'),
  testWebhook: named('webhook'),
  replayWebhookDelivery: named('webhook'),
  replayWebhook: named('webhook'),
  importSuppressions: anything,
  addSuppression: { kind: 'suppression', idOf: ({ body }) => memberOf(body, 'address'), byKeys: true },
  removeSuppression: named('suppression', 'address'),
  createKey: made('key'),
  updateKey: named('key'),
  rotateKey: named('key'),
  revokeKey: named('key'),
  createPerson: made('person'),
  updatePerson: named('person'),
  resetPassword: named('person'),
  sendCanary: named('domain', 'domain'),
  sendTestEmail: anything,
};

/** They change something and are no acts of somebody: strangers, and what only shows how a text looks. */
export const notAudited: readonly string[] = [
  'acceptInvitation',
  'submitApplication',
  'previewInvitationTemplate',
  'previewRejectionTemplate',
];

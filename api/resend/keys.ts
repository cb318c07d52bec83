// API keys in the shapes of the client. Its two permissions are two of our scopes; a domain is who the key may send as.
import { z } from 'zod';
import type { keyView } from '../keys/key.ts';
import type { Operation } from '../operation.ts';
import type { Fault } from '../problem.ts';
import { forwardOnly, toList } from './list.ts';
import { mount } from './mount.ts';

type View = z.output<typeof keyView>;

const keyPath = z.strictObject({ id: z.uuid() });

const scopes: Readonly<Record<string, readonly string[]>> = {
  full_access: ['admin'],
  sending_access: ['send'],
};

/** What it does not know stays, and is refused by its name. */
function toDraft(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { permission = 'full_access', domain_id, ...same } = body as Readonly<Record<string, unknown>>;
  const isDomain = domain_id !== undefined && domain_id !== null;
  return {
    ...same,
    scopes: scopes[String(permission)] ?? [permission],
    ...(isDomain && { senders: [`*@${domain_id}`] }),
  };
}

const asPermission = (fault: Fault): Fault => {
  if (fault.pointer.startsWith('#/scopes'))
    return { ...fault, pointer: '#/permission', detail: 'must be full_access or sending_access' };
  return fault.pointer.startsWith('#/senders') ? { ...fault, pointer: '#/domain_id' } : fault;
};

export const clientKeys = (engine: (id: string) => Operation): Operation[] => [
  mount(engine('createKey'), {
    id: 'resend.apiKeys.create',
    path: '/resend/api-keys',
    ask: ({ body }) => ({ body: toDraft(body) }),
    tell: ({ id, secret }) => ({ id, token: secret }),
    rename: asPermission,
  }),
  mount(engine('listKeys'), {
    id: 'resend.apiKeys.list',
    path: '/resend/api-keys',
    query: forwardOnly,
    ask: ({ query }) => ({ query }),
    // Revoked ones are listed too, and say so.
    tell: toList(({ id, name, created_at, last_used_at, revoked_at }: View) => ({
      id,
      name,
      created_at,
      last_used_at,
      revoked_at,
    })),
  }),
  mount(engine('updateKey'), {
    id: 'resend.apiKeys.update',
    path: '/resend/api-keys/{id}',
    params: keyPath,
    ask: ({ path, body }) => ({ path, body }),
    tell: ({ id }) => ({ object: 'api_key', id }),
  }),
  mount(engine('revokeKey'), {
    id: 'resend.apiKeys.remove',
    path: '/resend/api-keys/{id}',
    params: keyPath,
    tell: ({ id }) => ({ object: 'api_key', id, deleted: true }),
  }),
];

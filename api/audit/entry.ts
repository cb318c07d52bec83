// An entry of the audit list as the API shows it.
import { z } from 'zod';
import { id, instant } from '../fields.ts';
import { actorKinds } from './actor.ts';
import { objectKinds } from './state.ts';
import type { EntryRow } from './store.ts';

const state = z.record(z.string(), z.unknown());

export const entryView = z
  .strictObject({
    id,
    at: instant,
    actor: z.strictObject({
      kind: z.enum(actorKinds).meta({
        description:
          '`admin` is whoever knows ADMIN_PASSWORD, `bootstrap` is API_KEY, `nobody` was not let in. A `key` has the scope admin.',
      }),
      id: id.nullable(),
      name: z.string().nullable(),
    }),
    act: z.string().meta({ examples: ['cancel-email', 'revoke-key', 'sign-in'] }),
    object: z
      .strictObject({
        kind: z.enum(objectKinds),
        id: z.string().nullable().meta({
          description:
            'Of an address or a form: a keyed digest. Search with `object` and the address itself.',
        }),
        name: z.string().nullable().meta({
          description:
            'Of a key or a user its name, and the address of a suppression that is still on the list.',
        }),
      })
      .nullable(),
    before: state.meta({ description: 'What is different afterwards, as it was.' }),
    after: state.meta({
      description: 'What is different, as it is then; `fields` names what a change named.',
    }),
  })
  .meta({ id: 'AuditEntry' });

export const toEntryView = (row: EntryRow): z.output<typeof entryView> => ({
  id: row.id,
  at: row.at.toISOString(),
  actor: { kind: row.actorKind, id: row.actorId, name: row.actorName },
  act: row.act,
  object: row.objectKind && { kind: row.objectKind, id: row.objectId, name: row.objectName },
  before: row.before,
  after: row.after,
});

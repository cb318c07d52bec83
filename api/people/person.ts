// A user of the dashboard as the API shows it: never a password.
import { z } from 'zod';
import { id, instant } from '../fields.ts';
import { Problem } from '../problem.ts';
import { roles } from './role.ts';
import type { PersonRow } from './store.ts';

export const personPath = z.strictObject({ id });

const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const isPersonName = (name: string): boolean => nameForm.test(name);

/** No @: a name is no mail address, so that nobody's erasure has to change it. */
export const personName = z
  .string()
  .regex(nameForm, 'must be 1 to 63 of A-Z a-z 0-9 . _ - and begin with a letter or digit')
  .refine((name) => name.toLowerCase() !== 'admin', {
    error: 'must not be admin: that is whoever knows ADMIN_PASSWORD',
  });

export const role = z.enum(roles).meta({
  description:
    '`view` sees lists, statuses and timelines, but nothing that a mail says. `operate` sees bodies too and acts on ' +
    'mail, customers and suppressions. `admin` may do everything.',
});

export const personShape = {
  id,
  name: z.string(),
  role,
  sign_in: z.enum(['password', 'openid-connect']).meta({
    description: 'With `openid-connect` the role comes from OIDC_ROLES at every sign-in.',
  }),
  password_is_initial: z.boolean().meta({ description: 'It was made for the user and not changed yet.' }),
  disabled_at: instant.nullable(),
  last_sign_in_at: instant.nullable(),
  created_at: instant,
};

export const personView = z.strictObject(personShape).meta({ id: 'Person' });

export const toPersonView = (row: PersonRow): z.output<typeof personView> => ({
  id: row.id,
  name: row.name,
  role: row.role,
  sign_in: row.issuer === null ? 'password' : 'openid-connect',
  password_is_initial: row.passwordIsInitial,
  disabled_at: row.disabledAt?.toISOString() ?? null,
  last_sign_in_at: row.lastSignInAt?.toISOString() ?? null,
  created_at: row.createdAt.toISOString(),
});

export const noSuchPerson = (personId: string) => new Problem('not-found', `User ${personId} not found.`);

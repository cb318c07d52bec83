// What a person may do in the dashboard: each role may do what those before it may.
export const roles = ['view', 'operate', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Whoever is signed in. */
export type Person = {
  /** Null for whoever knows ADMIN_PASSWORD. */
  readonly id: string | null;
  readonly name: string;
  readonly role: Role;
  /** Whether the password was made by somebody else and should be changed. */
  readonly passwordIsInitial: boolean;
  /** Whether there is a password here that can be changed. */
  readonly hasPassword: boolean;
};

/** The first admin, who cannot be locked out. */
export const administrator: Person = {
  id: null,
  name: 'admin',
  role: 'admin',
  passwordIsInitial: false,
  hasPassword: false,
};

export const reaches = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);

/** Bodies, header fields, attachments: everything that may hold a link that gives access. */
export const seesContent = ({ role }: Person): boolean => reaches(role, 'operate');

/** Who did it, for the timeline of an email. */
export const actorOfPerson = ({ id, name }: Person): string => (id === null ? 'dashboard' : `person:${name}`);

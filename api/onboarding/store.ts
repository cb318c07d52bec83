// Applications in the database. Which status may follow which is held there as well (application.ts).
import type { Queryable } from '../../deploy/database.ts';
import { uuidv7 } from '../../deploy/uuid.ts';
import { containing } from '../like.ts';
import { Problem } from '../problem.ts';

export const applicationStatuses = ['submitted', 'approved', 'rejected', 'archived'] as const;

export type ApplicationStatus = (typeof applicationStatuses)[number];

export type ApplicationRow = {
  id: string;
  status: ApplicationStatus;
  company: string;
  contact_name: string;
  email: string;
  phone: string | null;
  website: string | null;
  message: string | null;
  note: string | null;
  reason: string | null;
  customer_id: string | null;
  created_at: Date;
  updated_at: Date;
  decided_at: Date | null;
  archived_at: Date | null;
};

const applicationColumns = `
  id, status, company, contact_name, email, phone, website, message, note, reason, customer_id,
  created_at, updated_at, decided_at, archived_at`;

/** One application, locked against other changes when it is going to be changed. Throws `not-found`. */
export async function findApplication(
  q: Queryable,
  applicationId: string,
  { lock = false } = {},
): Promise<ApplicationRow> {
  const { rows } = await q.query<ApplicationRow>(
    `select ${applicationColumns} from application where id = $1 ${lock ? 'for update' : ''}`,
    [applicationId],
  );
  if (!rows[0]) throw new Problem('not-found', `Application ${applicationId} not found.`);
  return rows[0];
}

/** Newest first. `text` is looked for in company, contact and address. */
export async function findApplications(
  q: Queryable,
  filter: { status?: ApplicationStatus | undefined; text?: string | undefined },
  page: { limit: number; after?: string | undefined },
): Promise<ApplicationRow[]> {
  const { rows } = await q.query<ApplicationRow>(
    `select ${applicationColumns} from application
     where ($1::text is null or status = $1)
       and ($2::text is null or concat_ws(' ', company, contact_name, email) ilike $2)
       and ($3::uuid is null or id < $3)
     order by id desc limit $4`,
    [
      filter.status ?? null,
      filter.text === undefined ? null : containing(filter.text),
      page.after ?? null,
      page.limit + 1,
    ],
  );
  return rows;
}

type NewApplication = {
  readonly company: string;
  readonly contact_name: string;
  readonly email: string;
  readonly phone?: string | undefined;
  readonly website?: string | undefined;
  readonly message?: string | undefined;
};

/** Stores a new application and returns its id. */
export async function insertApplication(tx: Queryable, given: NewApplication): Promise<string> {
  const applicationId = uuidv7();
  await tx.query(
    `insert into application (id, company, contact_name, email, phone, website, message)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      applicationId,
      given.company,
      given.contact_name,
      given.email,
      given.phone ?? null,
      given.website ?? null,
      given.message ?? null,
    ],
  );
  return applicationId;
}

type Editable = 'company' | 'contact_name' | 'email' | 'phone' | 'website' | 'message' | 'note';

export async function updateApplicationRow(
  tx: Queryable,
  row: { readonly id: string } & { readonly [Field in Editable]: ApplicationRow[Field] | undefined },
): Promise<void> {
  await tx.query(
    `update application
     set company = $2, contact_name = $3, email = $4, phone = $5, website = $6, message = $7, note = $8,
         updated_at = now()
     where id = $1`,
    [row.id, row.company, row.contact_name, row.email, row.phone, row.website, row.message, row.note],
  );
}

/** Approves or rejects; the application as it is then. */
export async function decideApplication(
  tx: Queryable,
  applicationId: string,
  decision: { status: ApplicationStatus; customerId?: string; reason?: string | undefined },
): Promise<ApplicationRow> {
  await tx.query(
    `update application set status = $2, customer_id = $3, reason = $4, decided_at = now(), updated_at = now()
     where id = $1`,
    [applicationId, decision.status, decision.customerId ?? null, decision.reason ?? null],
  );
  return findApplication(tx, applicationId);
}

export async function archiveApplicationRow(tx: Queryable, applicationId: string): Promise<void> {
  await tx.query(
    `update application set status = 'archived', archived_at = now(), updated_at = now()
     where id = $1 and status <> 'archived'`,
    [applicationId],
  );
}

export async function deleteApplicationRow(tx: Queryable, applicationId: string): Promise<void> {
  await tx.query('delete from application where id = $1', [applicationId]);
}

/** The application that was approved with this customer. */
export async function findApplicationOfCustomer(
  tx: Queryable,
  customerId: string,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ id: string }>('select id from application where customer_id = $1', [
    customerId,
  ]);
  return rows[0]?.id;
}

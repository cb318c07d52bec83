// What changed in the database of a run, seen by a trigger of the run's own, in the transaction of the change. It shares
// nothing with the triggers that write events but the words of the contract.
import type { OwnPostgres } from '../kit/database.ts';
import type { Change } from './events.ts';

type Watched = Pick<OwnPostgres, 'query'>;

export async function watchChanges({ query }: Watched): Promise<void> {
  await query(
    `create table seen_change (id bigint generated always as identity, key text not null, status text not null)`,
  );
  // Being in a relay's hands is no event, nor is coming back from there untried.
  await query(
    `create function see_recipient() returns trigger language plpgsql
     security definer set search_path to 'public', 'pg_temp' as $$
     declare now_is text := case when tg_op = 'INSERT' and new.status = 'sending' then 'queued' else new.status::text end;
     begin
       if tg_op = 'UPDATE' and (old.status = new.status or new.status = 'sending'
           or (old.status = 'sending' and new.status = 'queued')) then
         return null;
       end if;
       insert into seen_change (key, status) values (new.queue_id || ' ' || new.address, now_is);
       return null;
     end $$`,
  );
  await query(
    `create trigger see_recipient after insert or update on recipient for each row execute function see_recipient()`,
  );
  await query(
    `create function see_email() returns trigger language plpgsql
     security definer set search_path to 'public', 'pg_temp' as $$
     begin
       if new.queue_id is null and new.status in ('held', 'cancelled', 'expired')
           and (tg_op = 'INSERT' or old.status <> new.status) then
         insert into seen_change (key, status)
         select distinct new.id || ' ' || (r ->> 'address'), new.status::text from jsonb_array_elements(new.recipients) r;
       end if;
       return null;
     end $$`,
  );
  await query(
    `create trigger see_email after insert or update on email for each row execute function see_email()`,
  );
}

/** In the order in which they happened to each recipient. */
export async function readChanges({ query }: Watched): Promise<Change[]> {
  const { rows } = await query<Change>('select key, status from seen_change order by id');
  return rows;
}

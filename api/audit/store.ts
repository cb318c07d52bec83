// Reading the audit list.
import type { Queryable } from '../../deploy/database.ts';
import { isEmailId } from '../dashboard/place.ts';
import type { Actor } from './actor.ts';
import type { ObjectKind, State } from './state.ts';

export type EntryRow = {
  readonly id: string;
  readonly at: Date;
  readonly actorKind: Actor['kind'];
  readonly actorId: string | null;
  readonly actorName: string | null;
  readonly act: string;
  readonly objectKind: ObjectKind | null;
  readonly objectId: string | null;
  readonly objectName: string | null;
  readonly before: State;
  readonly after: State;
};

export type EntrySearch = {
  readonly limit: number;
  readonly after?: string | undefined;
  /** A kind of actor, or the id of a user or key. */
  readonly actor?: string | undefined;
  readonly act?: string | undefined;
  /** An id, an address or the name of a form. */
  readonly object?: string | undefined;
  readonly from?: Date | undefined;
  readonly before?: Date | undefined;
};

/** One more than asked for, so that it is known whether there is a next page; the newest first. */
export async function findEntries(q: Queryable, search: EntrySearch): Promise<EntryRow[]> {
  const isId = search.actor !== undefined && isEmailId(search.actor);
  // Not named, so that it is planned for the filters that are set.
  const { rows } = await q.query<EntryRow>(
    `select e.id, e.at, e.actor_kind as "actorKind", e.actor_id as "actorId", coalesce(u.name, k.name) as "actorName",
       e.act, e.object_kind as "objectKind", e.object_id as "objectId",
       case e.object_kind
         when 'person' then (select name from dashboard_user where id = e.object_id::uuid)
         when 'key' then (select name from api_key where id = e.object_id::uuid)
         when 'suppression' then (select address from suppression where digest = decode(e.object_id, 'hex')
                                  order by stream limit 1)
       end as "objectName", e.before, e.after
     from audit_entry e
     left join dashboard_user u on e.actor_kind = 'person' and u.id = e.actor_id
     left join api_key k on e.actor_kind = 'key' and k.id = e.actor_id
     where ($2::uuid is null or e.id < $2)
       and ($3::text is null or e.actor_kind = $3)
       and ($8::uuid is null or (e.actor_kind in ('person', 'key') and e.actor_id = $8))
       and ($4::text is null or e.act = $4)
       and ($5::text is null or e.object_id in ($5, encode(suppression_digest($5), 'hex')))
       and ($6::timestamptz is null or e.at >= $6) and ($7::timestamptz is null or e.at < $7)
     order by e.id desc limit $1`,
    [
      search.limit + 1,
      search.after ?? null,
      isId ? null : (search.actor ?? null),
      search.act ?? null,
      search.object ?? null,
      search.from ?? null,
      search.before ?? null,
      isId ? search.actor : null,
    ],
  );
  return rows;
}

// Who is signed in, and what the role allows. The api refuses what it does not; the pages only do not offer it.
const roles = ['view', 'operate', 'admin'];

let me;

export const whoIsHere = () => me;

export function setMe(person) {
  me = person;
}

/** Without the database nobody knows who it is; then nothing works anyhow. */
export const may = (needed) => !me || needed === undefined || roles.indexOf(me.role) >= roles.indexOf(needed);

/** Why a button does nothing; undefined when it does. */
export const whyNot = (needed) =>
  may(needed) ? undefined : `Your role is ${me.role}; this needs ${needed}.`;

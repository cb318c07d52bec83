// What is looked after by the clock (maintenance.ts, chores.ts).
import type { Queryable } from '../../deploy/database.ts';
import type { Sleep } from '../../deploy/sleep.ts';
import type { Attempts } from './attempt/attempts.ts';
import type { Background } from './background.ts';
import type { DeliveryContext } from './context.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { IdentityWatch } from './identity-watch.ts';
import type { Lane } from './lanes/lane.ts';
import type { NoticeWriter } from './notices/owed.ts';
import type { LeaseWatch } from './queue/lease-watch.ts';
import type { SenderProbes } from './sender-probes.ts';

export type Maintained = {
  readonly context: DeliveryContext;
  readonly identity: IdentityWatch;
  readonly lanes: readonly Lane[];
  readonly attempts: Attempts;
  readonly dispatcher: Dispatcher;
  readonly senderProbes: SenderProbes;
  readonly leaseWatch: LeaseWatch;
  readonly notices: NoticeWriter;
  readonly background: Background;
  readonly beat: (tx: Queryable) => Promise<void>;
  readonly sleep: Sleep;
};

// Durations nobody should need to set; tests shorten them.
import { type ProbeWaits, usualProbeWaits } from '../lane-state/probe-waits.ts';
import { type SmtpTimeouts, usualSmtpTimeouts } from '../smtp/timeouts.ts';
import { type TokenWaits, usualTokenWaits } from '../tokens/tokens.ts';

/** All in milliseconds. */
export type Timeouts = SmtpTimeouts &
  ProbeWaits & {
    /** Silence after which the next route is opened beside the first. */
    readonly nextRouteMs: number;
    /** How old a mark may be when the dot leaves. */
    readonly markMs: number;
    /** How long a claim lasts without being renewed; renewed three times in that time. */
    readonly leaseMs: number;
    /** How often the queue and the state of the lanes are looked at while mail is under way. */
    readonly pollMs: number;
    /** The same while there is none. What nobody tells this relay waits for so long. */
    readonly quietMs: number;
    /** How long an unused session is kept open. */
    readonly idleMs: number;
    /** How long an uncertain mail waits, from the mark, before it is sent again. */
    readonly resendMs: number;
    /** How long a route must behave before it is trusted again; doubled on relapse. */
    readonly holdDownMs: number;
    /** How long a stopping relay waits for final replies. */
    readonly stopMs: number;
    /** Of delivery's own access tokens. */
    readonly tokens: TokenWaits;
  };

const second = 1_000;
const minute = 60 * second;

export const usualTimeouts: Timeouts = {
  ...usualSmtpTimeouts,
  ...usualProbeWaits,
  nextRouteMs: 3 * second,
  markMs: 2 * second,
  leaseMs: 5 * second,
  pollMs: second / 2,
  quietMs: 5 * second,
  idleMs: 10 * second,
  resendMs: 15 * minute,
  holdDownMs: 5 * minute,
  stopMs: 20 * second,
  tokens: usualTokenWaits,
};

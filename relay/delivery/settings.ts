// What delivery needs to know from the environment, and how patient it is.

import type { ProviderReading, RelayEnvironment, RouteSetting } from '../../deploy/environment.ts';

/** One way to a provider: a port with its own TLS mode. */
export type Route = RouteSetting;

/** A provider with the credential for it and its routes in the order of preference. */
export type Provider = ProviderReading;

/** The part of the relay's environment that delivery reads. */
export type DeliverySettings = Pick<
  RelayEnvironment,
  | 'providers'
  | 'missing'
  | 'problems'
  | 'deliveryMode'
  | 'deliveryAllowlist'
  | 'uncertainPolicy'
  | 'queueLifetimeSeconds'
  | 'retryScheduleSeconds'
  | 'logAddresses'
  | 'from'
>;

/** Durations nobody should need to set; tests shorten them. All in milliseconds. */
export type Tempo = {
  /** Silence after which the next route is opened beside the first. */
  readonly nextRouteMs: number;
  /** MAIL, RCPT, RSET: five minutes (RFC 5321 §4.5.3.2.2 and .3). */
  readonly commandMs: number;
  /** DATA until 354: two minutes (§4.5.3.2.4). */
  readonly dataMs: number;
  /** A block of the message: three minutes (§4.5.3.2.5). */
  readonly blockMs: number;
  /** From the final dot until the final reply: ten minutes, because giving up early makes duplicates (§4.5.3.2.6). */
  readonly finalMs: number;
  /** How old a mark may be when the dot leaves. */
  readonly markMs: number;
  /** How long a claim lasts without being renewed; renewed three times in that time. */
  readonly leaseMs: number;
  /** How often the queue and the state of the lanes are looked at when nothing wakes us. */
  readonly pollMs: number;
  /** How long an unused session is kept open. */
  readonly idleMs: number;
  /** How long an uncertain mail waits, from the mark, before it is sent again. */
  readonly resendMs: number;
  /** Probing an unreachable lane: the first wait and the longest. */
  readonly unreachableProbeMs: readonly [number, number];
  /** Probing a stopped lane, one AUTH each: the first wait and the longest. */
  readonly stoppedProbeMs: readonly [number, number];
  /** Trying a held sender again with one mail: the first wait and the longest. */
  readonly senderProbeMs: readonly [number, number];
  /** How long a route must behave before it is trusted again; doubled on relapse. */
  readonly holdDownMs: number;
  /** How long a stopping relay waits for final replies. */
  readonly stopMs: number;
};

const second = 1_000;
const minute = 60 * second;

export const usualTempo: Tempo = {
  nextRouteMs: 3 * second,
  commandMs: 5 * minute,
  dataMs: 2 * minute,
  blockMs: 3 * minute,
  finalMs: 10 * minute,
  markMs: 2 * second,
  leaseMs: 8 * second,
  pollMs: second / 2,
  idleMs: 10 * second,
  resendMs: 15 * minute,
  unreachableProbeMs: [5 * second, minute],
  stoppedProbeMs: [minute, 30 * minute],
  senderProbeMs: [minute / 2, 30 * minute],
  holdDownMs: 5 * minute,
  stopMs: 20 * second,
};

/** Some providers end a session after a number of mails; we end it first, and politely. */
export const mailsPerSession = 100;

/** Mails up to this size come with their claim; larger ones are read part by part while they are sent. */
export const inlineBytes = 64 * 1024;

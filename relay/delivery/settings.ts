// What delivery needs to know from the environment.
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
  | 'bounceVerp'
>;

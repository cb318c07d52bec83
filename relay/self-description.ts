// What a relay says about itself with every heartbeat: what it found in its environment, never a secret.
import { fingerprint, type RelayEnvironment } from '../deploy/environment.ts';
import { credentialSecrets } from '../deploy/oauth2.ts';
import type { PreflightReport, RelayReport } from './client/status/heartbeat.ts';
import type { DeliveryReport } from './delivery/report.ts';
import { placeOf } from './mailbox/place.ts';
import { type PlatformId, whereToType } from './verdict/where-to-type.ts';

/**
 * Who may be named as a sender at the door. While no provider can be used everybody may: the mail is held anyway, and
 * refusing it because of half a configuration would lose it.
 */
export function senderRules({ providers }: Pick<RelayEnvironment, 'providers'>): string[] {
  if (providers.length === 0) return ['*'];
  return [...new Set(providers.flatMap(({ allowedSenders }) => allowedSenders))];
}

/**
 * @param platform decides what to type where
 * @param delivery what it knows of the ways out
 * @param preflight what the last examination found; undefined before the first
 */
export function describeRelay(
  environment: RelayEnvironment,
  platform: PlatformId,
  delivery: DeliveryReport,
  preflight: PreflightReport | undefined,
): RelayReport {
  const { from, missing, problems, providers, deliveryMode, relayMaxMessageSize, bounceMailbox } =
    environment;
  return {
    configured: providers.length > 0,
    missing,
    problems: problems.map((finding) => ({
      ...finding,
      fix: `${finding.fix} ${whereToType(platform, [finding.variable])}`,
    })),
    delivery_mode: deliveryMode,
    limits: { max_message_size: relayMaxMessageSize },
    allowed_senders: senderRules(environment),
    ...(from && { from: from.email }),
    ...(from?.name !== undefined && { from_name: from.name }),
    routes: delivery.routes.map((route) => ({
      ...route,
      certificate_days_left: certificateDays(preflight, route),
    })),
    lanes: delivery.lanes.map((lane) => ({
      ...lane,
      since: lane.since.toISOString(),
      next_probe_at: lane.next_probe_at?.toISOString() ?? null,
      proven_at: lane.proven_at?.toISOString() ?? null,
      last_taken_at: lane.last_taken_at?.toISOString() ?? null,
      paced_until: lane.paced_until?.toISOString() ?? null,
    })),
    ...(preflight && { preflight }),
    ...(bounceMailbox && {
      mailbox: {
        user: bounceMailbox.user,
        host: placeOf(bounceMailbox)?.host ?? null,
        port: bounceMailbox.port,
      },
    }),
    secrets: Object.fromEntries(
      providers
        .flatMap(credentialSecrets)
        .map(([name, secret]) => [name, { length: secret.length, fingerprint: fingerprint(secret) }]),
    ),
  };
}

/** As the last examination saw the certificate on this route; null where it saw none. */
function certificateDays(
  preflight: PreflightReport | undefined,
  route: DeliveryReport['routes'][number],
): number | null {
  const walks = preflight?.walks.filter(({ host, port }) => host === route.host && port === route.port) ?? [];
  return walks.find((walk) => walk.certificate_days_left !== null)?.certificate_days_left ?? null;
}

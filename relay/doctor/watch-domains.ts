// Looks at the senders' domains once a day, and whenever somebody asks: one relay in the cluster for each look. A domain
// that begins to fail, or is good again, is an alert.
import { randomUUID } from 'node:crypto';
import { type Database, isUnavailable } from '../../deploy/database.ts';
import type { RelayEnvironment } from '../../deploy/environment.ts';
import type { Log } from '../../deploy/log.ts';
import { alwaysAwake, everyWhileAwake, type Sleep } from '../../deploy/sleep.ts';
import type { Alert } from '../alerts/alerts.ts';
import { seenSelectors } from '../client/status/canaries.ts';
import { type DueDomain, nameDomains, storeDomain, takeDueDomain } from '../client/status/domains.ts';
import { type DomainExamination, examineDomain } from '../domain/examine-domain.ts';
import { openLookup } from '../domain/lookup.ts';
import { sendingDomains } from '../domain/sending-domains.ts';
import { settle } from '../domain/settle.ts';
import { providerOf } from '../verdict/providers.ts';

type Start = {
  readonly environment: Pick<RelayEnvironment, 'from' | 'providers' | 'dnsResolvers'>;
  readonly database: Database;
  readonly log: Log;
  readonly alert: (alert: Alert) => void;
  /**
   * Whether the provider is the stand-in of `npm start`: mail goes nowhere, so nobody sees these domains and only looks
   * that somebody asks for are taken. Undefined while it is not known.
   */
  readonly isStandIn: () => boolean | undefined;
  /** Told of every look. */
  readonly looked?: (examination: DomainExamination) => void;
  readonly sleep?: Sleep;
};

export type DomainWatch = AsyncDisposable & {
  /** Looks now at what is due: somebody may have asked. */
  look(): void;
};

/** Looks are a day apart, or ten minutes to confirm one; nobody waits for them. */
const lookEveryMs = 10 * 60_000;
/** A relay that has just started has more urgent things to do. */
const firstLookMs = 15_000;

/**
 * Nothing it meets ends the relay, and mail never waits for it.
 *
 * Long because its small functions share what it was started with and the look under way.
 */
export function watchDomains({
  environment,
  database,
  log,
  alert,
  isStandIn,
  looked,
  sleep = alwaysAwake,
}: Start): DomainWatch {
  const { from, providers, dnsResolvers } = environment;
  const stopping = new AbortController();
  const domains = sendingDomains(from?.email, providers).map(({ domain, host }) => ({
    domain,
    provider: (host !== undefined && providerOf(undefined, host, '')?.id) || null,
  }));
  const looking = everyWhileAwake(sleep, lookEveryMs, lookAtAll, { first: 'after a pause' });
  const first = setInterval(() => {
    if (isStandIn() === undefined) return;
    clearInterval(first);
    looking.now();
  }, firstLookMs);

  async function lookAtAll(): Promise<void> {
    try {
      await nameDomains(database, domains, { onlyWhenAsked: isStandIn() !== false });
      for (
        let due = await takeDueDomain(database);
        due && !stopping.signal.aborted;
        due = await takeDueDomain(database)
      ) {
        await lookAt(due);
      }
    } catch (error) {
      if (!stopping.signal.aborted && !isUnavailable(error)) {
        log.warn({ err: error, event: 'domain' }, "The senders' domains could not be looked at");
      }
    }
  }

  async function lookAt(due: DueDomain): Promise<void> {
    const lookup = openLookup({ resolvers: dnsResolvers, signal: stopping.signal });
    const { domain, provider } = due;
    const question = {
      domain,
      providerId: provider ?? undefined,
      unusedLabel: randomUUID(),
      seenSelectors: await seenSelectors(database, domain),
    };
    const examination = await examineDomain(question, lookup);
    if (stopping.signal.aborted) return;
    const { settled, hasChanged, nextInSeconds } = settle(due, examination.result);
    await storeDomain(database, {
      ...examination,
      settled,
      nextInSeconds: isStandIn() === true ? null : nextInSeconds,
    });
    looked?.(examination);
    if (hasChanged) tell(due, examination);
  }

  function tell({ settled }: DueDomain, { domain, result, findings }: DomainExamination): void {
    const worst = findings.find((finding) => finding.result === result);
    log.info(
      { event: 'domain', domain, result, before: settled, cause: worst?.cause },
      `${domain}: ${result}`,
    );
    const isBad = result === 'fail';
    if (!isBad && settled !== 'fail') return;
    alert({
      kind: isBad ? 'domain-fails' : 'domain-good',
      lane: providers[0]?.name ?? 'SMTP',
      cause: worst?.cause ?? 'domain-good',
      stage: 'accepted',
      detail: isBad ? domain : `${domain}: what failed in DNS is there again.`,
      ...(isBad && worst && { words: { title: worst.title, fix: worst.fix ?? '' } }),
    });
  }

  return {
    look: looking.now,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      clearInterval(first);
      await looking.stop();
    },
  };
}

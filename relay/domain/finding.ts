// What an examination of a sender's domain finds: one value a check, with the record to publish where one is missing.

export type Check = 'domain' | 'mx' | 'spf' | 'dkim' | 'dmarc';

/**
 * `pass`: as it should be. `note`: works, could be better. `warn`: some receivers will not like it. `fail`: mail is
 * refused or put into the junk folder. `unknown`: DNS did not answer, or cannot tell. `not-applicable`: not ours to set.
 */
export type Result = 'pass' | 'note' | 'warn' | 'fail' | 'unknown' | 'not-applicable';

export type DnsRecord = {
  readonly name: string;
  readonly type: 'TXT' | 'CNAME' | 'MX';
  readonly value: string;
  /** What is typed into the field "name" or "host" where the zone is edited. */
  readonly host: string;
};

export type DomainFinding = {
  readonly check: Check;
  readonly result: Result;
  /** A short stable slug, such as `spf-doubled`. */
  readonly cause: string;
  readonly title: string;
  /** Null where there is nothing to do. */
  readonly fix: string | null;
  /** What to publish, or to put in the place of the one that stands; null where no record can be named. */
  readonly record: DnsRecord | null;
  /** What DNS said, as it said it. */
  readonly evidence: readonly string[];
};

const order: readonly Result[] = ['fail', 'warn', 'unknown', 'note', 'pass', 'not-applicable'];

/** The worst of them; `pass` for none. */
export function worstResult(findings: readonly { readonly result: Result }[]): Result {
  return order.find((result) => findings.some((finding) => finding.result === result)) ?? 'pass';
}

type Words = Omit<DomainFinding, 'check' | 'result' | 'cause' | 'fix' | 'record' | 'evidence'> &
  Partial<Pick<DomainFinding, 'fix' | 'record' | 'evidence'>>;

/** @param cause begins with the name of the check, except for those of the domain itself */
export function finding(check: Check, result: Result, cause: string, words: Words): DomainFinding {
  return { check, result, cause, fix: null, record: null, evidence: [], ...words };
}

/** Evidence is shown on a page: long records are cut. */
export function shown(type: string, name: string, value: string): string {
  const text = value.length > 300 ? `${value.slice(0, 300)}… (${value.length} characters)` : value;
  return `${name} ${type} ${text}`;
}

// Follows the includes of an SPF record and counts what a receiver counts (RFC 7208 section 4.6.4): every receiver gives
// up after ten terms that ask DNS, and many after two that get no answer. The whole tree is counted, as if no mechanism
// matched: that is what mail from a new address of the provider meets.
import { type Answer, type Lookup, recordsOf } from './answer.ts';
import { isSpf, readSpf, type SpfTerm } from './spf-record.ts';

export const mostLookups = 10;
export const mostVoidLookups = 2;
/** Beyond, it is one to a receiver as well; the walk ends. */
const stopAfterLookups = 40;

export type SpfTree = {
  lookups: number;
  voids: number;
  /** Every domain that include and redirect lead to, and what it costs with all below it. */
  readonly reached: Map<string, number>;
  /** Why a receiver answers "permerror". */
  readonly faults: string[];
  /** Names that DNS did not answer for. */
  readonly unknown: string[];
  /** Terms with macros: they depend on the sender and are not followed. */
  hasMacros: boolean;
};

const asksDns = new Set(['include', 'a', 'mx', 'ptr', 'exists']);

/** @param domain whose record `terms` are */
export async function walkSpf(domain: string, terms: readonly SpfTerm[], lookup: Lookup): Promise<SpfTree> {
  const tree: SpfTree = {
    lookups: 0,
    voids: 0,
    reached: new Map(),
    faults: [],
    unknown: [],
    hasMacros: false,
  };
  await follow(domain, terms, [domain], tree, lookup);
  return tree;
}

async function follow(
  domain: string,
  terms: readonly SpfTerm[],
  path: readonly string[],
  tree: SpfTree,
  lookup: Lookup,
): Promise<void> {
  const hasAll = terms.some((term) => term.kind === 'mechanism' && term.name === 'all');
  for (const term of terms) {
    if (tree.lookups >= stopAfterLookups) return;
    if (term.kind === 'modifier') {
      // Section 6.1: with "all" in the record, redirect is ignored.
      if (term.name === 'redirect' && !hasAll) await include(term.target, path, tree, lookup, 'redirect');
    } else if (term.name === 'include') {
      await include(term.target, path, tree, lookup, 'include');
    } else if (asksDns.has(term.name)) {
      tree.lookups++;
      await countVoid(term, domain, tree, lookup);
    }
  }
}

async function include(
  target: string,
  path: readonly string[],
  tree: SpfTree,
  lookup: Lookup,
  by: 'include' | 'redirect',
): Promise<void> {
  tree.lookups++;
  if (target.includes('%')) {
    tree.hasMacros = true;
    return;
  }
  const name = target.toLowerCase().replace(/\.$/, '');
  if (path.includes(name)) {
    tree.faults.push(`${by} of ${name} leads back to itself`);
    return;
  }
  const before = tree.lookups;
  const answer = await lookup.txt(name);
  if (answer.kind === 'unknown') {
    tree.unknown.push(`${name}: ${answer.why}`);
    return;
  }
  if (answer.kind === 'absent') tree.voids++;
  const records = recordsOf(answer).filter(isSpf);
  const [text] = records;
  if (records.length !== 1 || text === undefined) {
    tree.faults.push(
      records.length === 0 ? `${name} has no SPF record` : `${name} has ${records.length} SPF records`,
    );
    return;
  }
  const { terms, faults } = readSpf(text);
  tree.faults.push(...faults.map((fault) => `${name}: ${fault}`));
  await follow(name, terms, [...path, name], tree, lookup);
  tree.reached.set(name, 1 + tree.lookups - before);
}

/** A term whose name has no record at all is void; exists and ptr depend on the address of the sender. */
async function countVoid(
  term: Extract<SpfTerm, { kind: 'mechanism' }>,
  domain: string,
  tree: SpfTree,
  lookup: Lookup,
): Promise<void> {
  const target = term.target.split('/')[0] || domain;
  if (target.includes('%')) {
    tree.hasMacros = true;
    return;
  }
  if (term.name !== 'a' && term.name !== 'mx') return;
  const answer: Answer<unknown> =
    term.name === 'a' ? await lookup.addresses(target) : await lookup.mx(target);
  if (answer.kind === 'unknown') tree.unknown.push(`${target}: ${answer.why}`);
  if (answer.kind === 'absent') tree.voids++;
  if (term.name === 'mx' && recordsOf(answer).length > 10)
    tree.faults.push(`${target} has more than ten MX records`);
}

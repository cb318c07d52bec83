// The first sentence of the first page: can mail leave right now, and if not, what to do about it.
import { ago, causeWords, count, plural, span } from './words.js';

const list = (words) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/**
 * @returns {{tone: 'good'|'care'|'bad'|'quiet', title: string, meaning?: string, fix?: string, words?: string,
 *   facts: string[], findings?: object[]}} `words` are somebody else's, shown as they came
 */
export function verdictOf(overview, { trouble = false } = {}) {
  if (trouble) {
    return {
      tone: 'bad',
      title: 'PostgreSQL does not answer',
      fix: 'Look at the database and its log. Mail that was accepted is kept in it; nothing new is accepted meanwhile.',
      facts: [],
    };
  }
  const { relay, relayAlive, processes, causes } = overview;
  const waiting = Object.values(overview.waiting).reduce((sum, each) => sum + each, 0);
  const kept =
    waiting > 0 ? [`${plural(waiting, 'mail')} ${waiting === 1 ? 'waits' : 'wait'}; nothing is lost.`] : [];

  if (!relay) {
    return {
      tone: 'bad',
      title: 'The relay has not started yet',
      meaning: 'It alone talks to the provider. Mail is accepted and kept until it runs.',
      fix: 'Start the relay, or look at its log: it says there what keeps it from starting.',
      facts: kept,
    };
  }
  if (!relayAlive) {
    const beat = processes.find(({ process }) => process === 'relay');
    return {
      tone: 'bad',
      title: 'The relay is not running',
      meaning: `It was last seen ${ago(beat?.seenAt)}. Mail is accepted and kept until it is back.`,
      fix: 'Start it again and look at the end of its log for why it stopped.',
      facts: kept,
    };
  }
  const problems = (relay.problems ?? []).filter(({ severity }) => severity === 'problem');
  if (!relay.configured && relay.delivery_mode !== 'capture') {
    const words = causeWords(relay.missing.length > 0 ? 'env-missing' : problems[0]?.cause, causes);
    const isOne = relay.missing.length === 1;
    return {
      tone: 'bad',
      title:
        relay.missing.length > 0
          ? `Mail cannot leave: ${list(relay.missing)} ${isOne ? 'is' : 'are'} missing`
          : `Mail cannot leave: ${lowerFirst(words?.title ?? 'the settings cannot be used')}`,
      meaning: words?.meaning,
      fix: words?.fix,
      findings: problems.filter(({ variable }) => !relay.missing.includes(variable)),
      facts: kept,
    };
  }
  if (relay.delivery_mode === 'capture') {
    return {
      tone: 'quiet',
      title: 'Capture mode: nothing leaves',
      meaning: 'Every mail is kept here to be looked at, as DELIVERY_MODE=capture asks for.',
      facts: kept,
    };
  }
  const examined = relay.preflight;
  if (examined?.ok === false && examined.diagnosis) {
    const { title, meaning, fix, where, reply, because, variables = [] } = examined.diagnosis;
    return {
      tone: 'bad',
      title: `Mail cannot leave: ${lowerFirst(title)}`,
      meaning: [meaning, because].filter(Boolean).join(' '),
      fix: [fix, where].filter(Boolean).join(' '),
      words: reply,
      facts: [
        variables.length > 0 && `Look at ${list(variables)} first.`,
        `Examined ${ago(examined.at)}.`,
        ...kept,
      ].filter(Boolean),
    };
  }
  const lanes = relay.lanes ?? [];
  const closed = lanes.filter(({ state }) => state !== 'open');
  const open = lanes.filter(({ state }) => state === 'open');
  if (lanes.length > 0 && open.length === 0) return closedVerdict(closed[0], { causes, kept });
  if (closed.length > 0) {
    const verdict = closedVerdict(closed[0], { causes, kept: [] });
    return { ...verdict, tone: 'care', title: `Mail leaves by ${open[0].name} alone. ${verdict.title}` };
  }
  const lane = open.find(({ held_senders: held }) => held.length > 0);
  if (lane) {
    const [held] = lane.held_senders;
    const words = causeWords(held.cause, causes);
    return {
      tone: 'care',
      title: `Mail from ${held.sender} is held: ${words.title}`,
      meaning: words.meaning,
      fix: words.fix,
      words: held.detail,
      facts: ['Mail from other senders leaves.'],
    };
  }
  if (!processes.some(({ process, alive }) => process === 'worker' && alive)) {
    return {
      tone: 'care',
      title: 'Mail leaves, but no worker is running',
      meaning: 'Scheduled mail, and mail that could not be handed over at once, waits for it.',
      fix: 'Start the worker and look at the end of its log.',
      facts: kept,
    };
  }
  const bad = (relay.routes ?? []).filter(({ state }) => state !== 'good');
  if (bad.length > 0) {
    const words = causeWords(bad[0].cause, causes);
    return {
      tone: 'care',
      title: `Mail leaves by the other way: ${bad[0].host}:${bad[0].port} does not work`,
      meaning: words?.title && `${words.title}. ${words.meaning ?? ''}`,
      fix: words?.fix,
      facts: factsOf(overview),
    };
  }
  const paced = open.find(({ paced_until: until }) => until);
  if (paced) {
    return {
      tone: 'care',
      title: 'Mail leaves as fast as your limits allow',
      meaning: `SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY is reached; there is room again ${ago(paced.paced_until)}.`,
      facts: kept,
    };
  }
  const isBusy = overview.lastSent && new Date(overview.at) - new Date(overview.lastSent.at) < 600_000;
  return { tone: 'good', title: isBusy ? 'Mail is leaving' : 'Mail can leave', facts: factsOf(overview) };
}

const stateWords = {
  stopped: 'Mail cannot leave',
  paused: 'Mail is paused',
  unreachable: 'Mail cannot leave',
};

function closedVerdict(lane, { causes, kept }) {
  const words = causeWords(lane.cause, causes);
  return {
    tone: lane.state === 'paused' ? 'care' : 'bad',
    title: `${stateWords[lane.state]}: ${lowerFirst(words?.title ?? lane.cause)}`,
    meaning: words?.meaning,
    fix: words?.fix,
    words: lane.detail,
    facts: [
      `Since ${ago(lane.since).replace(' ago', '')}.`,
      ...(lane.next_probe_at && new Date(lane.next_probe_at) > Date.now()
        ? [`Tried again ${ago(lane.next_probe_at)}.`]
        : []),
      ...kept,
    ],
  };
}

const lowerFirst = (text = '') =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

function factsOf({ lastSent, relay, oldestDue, waiting, at }) {
  const route = (relay.routes ?? []).find(({ state }) => state === 'good');
  const late = oldestDue ? new Date(at) - new Date(oldestDue) : 0;
  return [
    route && `By ${route.host}:${route.port}.`,
    lastSent ? `The provider took the last mail ${ago(lastSent.at)}.` : 'No mail has been sent yet.',
    late > 60_000 && `The oldest mail in the queue has waited ${span(late)}.`,
    waiting.held > 0 && `${count(waiting.held)} held.`,
    waiting.uncertain > 0 && `${count(waiting.uncertain)} uncertain.`,
  ].filter(Boolean);
}

// The first sentence of the first page: can mail leave right now, and if not, what to do about it.
import { ago, causeWords, count, plural, span } from './words.js';

const list = (words) =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/**
 * Everything that is wrong now, the worst first, and when nothing is, that mail can leave.
 *
 * @returns {{tone: 'good'|'care'|'bad'|'quiet', title: string, meaning?: string, fix?: string, words?: string,
 *   facts: (string|{text: string, href: string})[], acts?: ('check'|'try')[], findings?: object[], others: object[]}}
 *   `words` are somebody else's, shown as they came; `others`
 *   are of the same kind, without `others` of their own
 */
export function verdictOf(overview, { isDatabaseAway = false } = {}) {
  const [first, ...others] = isDatabaseAway ? [databaseAway] : problemsOf(overview);
  return { ...first, others };
}

const databaseAway = {
  tone: 'bad',
  title: 'PostgreSQL does not answer',
  fix: 'Check the database and its log. Accepted mail is safe in the database. Until it answers, nothing new is accepted.',
  facts: [],
};

function problemsOf(overview) {
  const { relay, relayAlive } = overview;
  // What a relay said that is not there any more is no news of now.
  const ways = !relay || !relayAlive ? [relayAway(overview)] : waysOut(overview);
  const problems = [...ways, ...otherProblems(overview)];
  const rank = { bad: 0, quiet: 1, care: 2 };
  problems.sort((a, b) => rank[a.tone] - rank[b.tone]);
  const standing = problems.length === 0 ? [relay.preflight ? leaves(overview) : examining(overview)] : [];
  return [...standing, ...problems, ...heldForPeople(overview)];
}

const keptWords = ({ waiting }) => {
  const count = Object.values(waiting).reduce((sum, each) => sum + each, 0);
  return count > 0 ? [`${plural(count, 'email')} ${count === 1 ? 'waits' : 'wait'}; nothing is lost.`] : [];
};

function relayAway(overview) {
  const facts = keptWords(overview);
  if (!overview.relay) {
    return {
      tone: 'bad',
      title: 'The relay has not started yet',
      meaning: 'Only the relay sends mail to the provider. Until it runs, mail is accepted and kept.',
      fix: 'Start the relay. If it does not start, its log says why.',
      facts,
    };
  }
  const beat = overview.processes.find(({ process }) => process === 'relay');
  return {
    tone: 'bad',
    title: 'The relay is not running',
    meaning: `It was last seen ${ago(beat?.seenAt)}. Mail is accepted and kept until it is back.`,
    fix: 'Start the relay again. The end of its log says why it stopped.',
    facts,
  };
}

const testMode = 'Test mode: nothing leaves this machine';

/** What keeps mail, or some of it, from leaving; empty when nothing does. */
function waysOut(overview) {
  const { relay } = overview;
  if (relay.delivery_mode === 'capture') {
    return [
      {
        tone: 'quiet',
        title: testMode,
        meaning: 'DELIVERY_MODE=capture keeps every email here, for you to read.',
        fix: 'To send mail, set DELIVERY_MODE=deliver for the relay and restart it.',
        facts: keptWords(overview),
      },
    ];
  }
  if (!relay.configured) return [notConfigured(overview)];
  const lanes = relay.lanes ?? [];
  const open = lanes.filter(({ state }) => state === 'open');
  const shut = lanes.filter(({ state }) => state !== 'open');
  const examined = failedExamination(overview);
  if (examined || (lanes.length > 0 && open.length === 0)) {
    return [
      ...(examined ? [examined] : shut.map((lane) => closedVerdict(lane, overview))),
      ...heldSenders(lanes, overview, false),
    ];
  }
  return [
    ...(relay.preflight?.stand_in ? [standIn] : []),
    ...shut.map((lane) => {
      const verdict = closedVerdict(lane, overview);
      return {
        ...verdict,
        tone: 'care',
        title: `Mail leaves only through ${open[0].name}. ${verdict.title}`,
      };
    }),
    ...heldSenders(open, overview, relay.preflight !== undefined && !relay.preflight.stand_in),
    ...badRoutes(overview),
    ...pacedLanes(open, overview),
  ];
}

const standIn = {
  tone: 'quiet',
  title: testMode,
  meaning: 'SMTP_HOST is not set. A stand-in provider on this machine accepts every email and sends none.',
  fix: 'To send mail, set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL, and start again.',
  facts: [],
};

function notConfigured(overview) {
  const { relay, causes } = overview;
  const problems = configurationProblems(relay);
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
    facts: keptWords(overview),
  };
}

const configurationProblems = (relay) =>
  (relay.problems ?? []).filter(({ severity }) => severity === 'problem');

/** A lane that closed for what the examination met as well: the examination compared more, and knows the better words. */
const isSameFault = (lane, { stage, cause, reply }) =>
  lane.cause === cause || lane.detail === reply || lane.cause?.startsWith(`${stage}-`);

/** The last examination where it failed and nothing newer is known: a mail that was taken since then is newer. */
function failedExamination(overview) {
  const { relay, lastSent } = overview;
  const examined = relay.preflight;
  if (examined?.ok !== false || !examined.diagnosis) return undefined;
  const lanes = relay.lanes ?? [];
  const open = lanes.filter(({ state }) => state === 'open');
  const newest =
    open.length > 0
      ? [lastSent?.at, ...open.flatMap((lane) => [lane.since, lane.proven_at, lane.last_taken_at])]
      : lanes.filter((lane) => !isSameFault(lane, examined.diagnosis)).map(({ since }) => since);
  const at = new Date(examined.at);
  if (newest.some((time) => time && new Date(time) > at)) return undefined;
  const { title, meaning, fix, where, reply, because, variables = [] } = examined.diagnosis;
  return {
    tone: 'bad',
    title: `Mail cannot leave: ${lowerFirst(title)}`,
    meaning: [meaning, because].filter(Boolean).join(' '),
    fix: [fix, where].filter(Boolean).join(' '),
    words: reply,
    acts: lanes.some(({ state }) => ['stopped', 'unreachable'].includes(state))
      ? ['check', 'try']
      : ['check'],
    facts: [
      variables.length > 0 && `Check ${list(variables)} first.`,
      `Examined ${ago(examined.at)}.`,
      ...lanes
        .filter(({ state }) => state !== 'open')
        .flatMap(nextProbe)
        .slice(0, 1),
      ...keptWords(overview),
    ].filter(Boolean),
  };
}

/** @param others whether mail of other senders has a way out */
function heldSenders(lanes, { relay, causes }, others) {
  return lanes.flatMap((lane) =>
    lane.held_senders.map((held) => {
      const words = causeWords(held.cause, causes);
      return {
        tone: 'care',
        title: `Mail from ${held.sender} is held: ${words.title}`,
        meaning: words.meaning,
        fix: words.fix,
        words: held.detail,
        acts: held.sender === relay.from ? ['check'] : [],
        facts: [
          ...(others ? ['Mail from other senders leaves.'] : []),
          ...nextProbe(held),
          held.sender === relay.from
            ? 'The doctor, a test email or "Try again" on one of these emails asks the provider at once.'
            : '"Try again" on one of these emails asks the provider at once.',
        ],
      };
    }),
  );
}

const nextProbe = ({ next_probe_at: at }) =>
  at && new Date(at) > Date.now() ? [`Next attempt ${ago(at)}.`] : [];

function badRoutes(overview) {
  const { relay, causes } = overview;
  return (relay.routes ?? [])
    .filter(({ state, lane: name }) => state !== 'good' && isOpen(relay, name))
    .map((route) => {
      const words = causeWords(route.cause, causes);
      return {
        tone: 'care',
        title: `${route.host}:${route.port} does not work, mail leaves through another connection`,
        meaning: words?.title && `${words.title}. ${words.meaning ?? ''}`,
        fix: words?.fix,
        facts: factsOf(overview),
        acts: ['check'],
      };
    });
}

const isOpen = (relay, name) => (relay.lanes?.find((lane) => lane.name === name)?.state ?? 'open') === 'open';

function pacedLanes(open, overview) {
  const paced = open.find(({ paced_until: until }) => until);
  if (!paced) return [];
  return [
    {
      tone: 'care',
      title: 'Mail waits for your own limits',
      meaning: `SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY is reached. The next email leaves ${ago(paced.paced_until)}.`,
      facts: keptWords(overview),
    },
  ];
}

/** What is wrong beside the way out. */
function otherProblems(overview) {
  const { processes, relay } = overview;
  const found = [];
  if (!processes.some(({ process, alive }) => process === 'worker' && alive)) {
    found.push({
      tone: 'care',
      title: 'No worker is running',
      meaning: 'Scheduled emails, and emails that the api could not hand over, wait for the worker.',
      fix: 'Start the worker. The end of its log says why it stopped.',
      facts: [],
    });
  }
  for (const { title, fix } of overview.webhooks ?? []) {
    found.push({ tone: 'care', title, fix: `${fix} The page Webhooks has a button for it.`, facts: [] });
  }
  if (relay?.configured && overview.relayAlive) {
    for (const { variable, problem, fix } of configurationProblems(relay))
      found.push({ tone: 'care', title: `${variable} ${problem}`, fix, facts: [] });
  }
  return found;
}

/** Mail that waits for a person, whatever the way out does. */
function heldForPeople({ held = [], relay, causes }) {
  const known = new Set([
    'not-configured',
    ...(relay?.lanes ?? []).flatMap(({ held_senders: senders }) => senders.map(({ cause }) => cause)),
  ]);
  return held
    .filter(({ reason }) => reason && !known.has(reason))
    .map(({ reason, count: number }) => {
      const words = causeWords(reason, causes);
      return {
        tone: 'care',
        title: `${plural(number, 'email')} ${number === 1 ? 'is' : 'are'} held: ${lowerFirst(words.title)}`,
        meaning: words.meaning,
        fix: words.fix,
        facts: [{ text: 'Show them', href: `/emails?statuses=held&cause=${reason}` }],
      };
    });
}

/**
 * A relay that has just started. What left before says nothing of its settings of now, and a stand-in provider takes
 * mail like any other.
 */
function examining(overview) {
  return {
    tone: 'quiet',
    title: 'The connection to the provider is being tested',
    meaning: 'The relay has just started. Mail is accepted; nothing is lost.',
    facts: keptWords(overview),
  };
}

function leaves(overview) {
  const { lastSent, at } = overview;
  const isBusy = lastSent && new Date(at) - new Date(lastSent.at) < 600_000;
  return { tone: 'good', title: isBusy ? 'Mail is leaving' : 'Mail can leave', facts: factsOf(overview) };
}

const stateWords = {
  stopped: 'Mail cannot leave',
  paused: 'Mail is paused',
  unreachable: 'Mail cannot leave',
};

function closedVerdict(lane, overview) {
  const words = causeWords(lane.cause, overview.causes);
  return {
    tone: lane.state === 'paused' ? 'care' : 'bad',
    title: `${stateWords[lane.state]}: ${lowerFirst(words?.title ?? lane.cause)}`,
    meaning: words?.meaning,
    fix: words?.fix,
    words: lane.detail,
    facts: [`Since ${ago(lane.since).replace(' ago', '')}.`, ...nextProbe(lane), ...keptWords(overview)],
    // A pause that the provider asked for is kept, whoever presses.
    acts: lane.state === 'paused' ? ['check'] : ['check', 'try'],
  };
}

const lowerFirst = (text = '') =>
  /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/** How many, as a link to them. */
const inList = (status, number) => ({
  text: `${count(number)} ${status} ${number === 1 ? 'email' : 'emails'}`,
  href: `/emails?statuses=${status}`,
});

function factsOf({ lastSent, relay, oldestDue, waiting, at }) {
  const route = (relay.routes ?? []).find(({ state }) => state === 'good');
  const late = oldestDue ? new Date(at) - new Date(oldestDue) : 0;
  return [
    route && `Through ${route.host}:${route.port}.`,
    lastSent ? `The provider accepted the last email ${ago(lastSent.at)}.` : 'No email has been sent yet.',
    late > 60_000 && `The oldest email in the queue has waited ${span(late)}.`,
    waiting.held > 0 && inList('held', waiting.held),
    waiting.uncertain > 0 && inList('uncertain', waiting.uncertain),
  ].filter(Boolean);
}

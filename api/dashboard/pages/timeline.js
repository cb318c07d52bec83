// The way of a mail: every attempt with its route, how far the conversation got, what was said and how long it took.
import { html } from './html.js';
import { Prose, Time } from './parts.js';
import { causeWords, sentence, span } from './words.js';

const stages = [
  'token',
  'dns',
  'tcp',
  'tls',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'dot',
  'accepted',
];

// As wide as a twelfth of the line allows.
const shortNames = { greeting: 'greet', starttls: 'tls', accepted: '250' };

const titles = {
  created: () => 'Created',
  updated: () => 'Changed',
  paused: () => 'Put on hold',
  resumed: () => 'Released from hold',
  'hand-over-failed': () => 'Hand-over to the relay failed',
  'hand-over-refused': () => 'The relay refused it',
  queued: () => 'Accepted by the relay',
  attempt: ({ route, host, port, stage }) =>
    `${stage === 'accepted' ? 'Accepted by the provider' : 'Attempt'} through ${host ? `${host}:${port}` : route}`,
  sent: ({ report }) =>
    report ? 'Sent: a report shows that the provider had it' : 'Sent: the provider accepted it',
  delayed: () => 'Delayed: a report says that a server still tries',
  delivered: ({ report }) => `A report says: ${report}`,
  complained: () => 'The recipient called it unwanted',
  deferred: ({ retryInSeconds }) =>
    `Deferred${retryInSeconds ? `: tried again in ${span(retryInSeconds * 1_000)}` : ''}`,
  bounced: ({ after_sent: isLate }) =>
    isLate ? 'Bounced after sending: a delivery report came back' : 'Bounced: refused permanently',
  uncertain: () => 'Uncertain: all data was sent, no final reply came',
  held: () => 'Held',
  released: () => 'Released',
  requeued: () => 'Queued again',
  expired: () => 'Expired',
  cancelled: () => 'Cancelled',
  captured: () => 'Captured: not sent, because of DELIVERY_MODE',
  suppressed: () => 'Suppressed: the address is on the suppression list',
  resolved: ({ outcome }) =>
    ({
      sent: 'Marked as arrived by a person',
      resend: 'Sent again by a person',
      cancelled: 'Cancelled by a person',
    })[outcome] ?? 'Decided by a person',
  'sent-again': () => 'Sent again, as a new email',
  notified: () => 'The sender was notified',
};

const tones = {
  sent: 'good',
  deferred: 'care',
  bounced: 'bad',
  delayed: 'care',
  delivered: 'good',
  complained: 'bad',
  uncertain: 'care',
  held: 'stopped',
  expired: 'bad',
  'hand-over-failed': 'care',
  'hand-over-refused': 'bad',
  cancelled: 'quiet',
};

/** @param said the cause whose advice stands above already */
export function Timeline({ events, causes, said }) {
  const first = events.length > 0 ? new Date(events[0].at).getTime() : 0;
  return html`<ol class="timeline">
    ${events.map((event, index) => html`<${Entry} key=${index} event=${event} attempt=${attemptBefore(events, index)} first=${first} causes=${causes} isSaid=${said && event.detail.cause === said} />`)}
  </ol>`;
}

const attemptBefore = (events, index) => events.slice(0, index).findLast(({ type }) => type === 'attempt');

function Entry({ event, attempt, first, causes, isSaid }) {
  const { type, detail, recipient, at } = event;
  const words =
    type === 'attempt' && detail.stage === 'accepted' ? undefined : causeWords(detail.cause, causes);
  const said = detail.reply ?? detail.error ?? detail.why;
  // An outcome after its attempt would say everything twice.
  const isEcho =
    ['sent', 'bounced', 'deferred', 'uncertain'].includes(type) &&
    (detail.stage || attempt?.detail.reply === said);
  const advice = isSaid || words?.fix === 'Nothing.' ? '' : words?.fix;
  const after = new Date(at).getTime() - first;
  const tone =
    type === 'attempt' ? (detail.stage === 'accepted' ? 'good' : 'care') : (tones[type] ?? 'waiting');
  return html`<li class=${tone}>
    <div class="head">
      <span class="title">${(titles[type] ?? (() => sentence(type)))(detail)}</span>
      ${recipient && html`<span class="soft who">${recipient}</span>`}
      <span class="soft at"><${Time} time=${at} />${after > 0 ? html` <span>+${span(after)}</span>` : ''}</span>
    </div>
    ${type === 'attempt' && html`<${Conversation} detail=${detail} />`}
    ${words && type !== 'attempt' && html`<p><b>${words.title}.</b> <${Prose} text=${advice} /></p>`}
    ${said && !isEcho && html`<pre class="said">${said}</pre>`}
    ${type === 'queued' && html`<${Rewritten} detail=${detail} />`}
    ${detail.detail && !said && html`<p class="soft">${detail.detail}</p>`}
    ${detail.emailId && html`<p><a href=${`/emails/${detail.emailId}`}>The new email</a></p>`}
    ${detail.actor && html`<p class="soft">by ${detail.actor}</p>`}
    ${
      detail.queueId &&
      (type === 'sent-again'
        ? html`<p><a href=${`/submitted/${detail.queueId}`}>The new email</a></p>`
        : html`<p class="soft">queue id <code>${detail.queueId}</code></p>`)
    }
    ${detail.providerQueueId && html`<p class="soft">the provider’s id <code>${detail.providerQueueId}</code></p>`}
  </li>`;
}

/** What RELAY_SENDER_REWRITE has changed. */
function Rewritten({ detail: { fromWas, senderWas, mailFromWas } }) {
  const were = [
    fromWas && `From was ${fromWas}`,
    senderWas && `Sender was ${senderWas}`,
    mailFromWas && `MAIL FROM was ${mailFromWas}`,
  ].filter(Boolean);
  if (were.length === 0) return null;
  return html`<p class="soft">The sender was changed (RELAY_SENDER_REWRITE): ${were.join(', ')}</p>`;
}

/** The stages of the conversation: those that were passed, where it ended, and those it never reached. */
function Conversation({ detail }) {
  const { stage, timings = {}, tlsMode } = detail;
  const shown = stages.filter(
    (each) => each === stage || !['token', tlsMode === 'starttls' ? 'tls' : 'starttls'].includes(each),
  );
  const ended = shown.indexOf(stage);
  const isGood = stage === 'accepted';
  const timed = Object.entries(timings)
    .filter(([, ms]) => ms >= 0.05)
    .sort(([one], [other]) => stages.indexOf(one) - stages.indexOf(other));
  const total = timed.reduce((sum, [, ms]) => sum + ms, 0);
  // A session that is used again begins at MAIL.
  const isReused = !('tcp' in timings) && shown.indexOf(stage) >= shown.indexOf('mail');
  return html`<div class="conversation">
    <ol aria-label=${`Last stage: ${stage}`}>
      ${shown.map((each, index) => {
        const state =
          index < ended || isGood
            ? isReused && index < shown.indexOf('mail')
              ? 'reused'
              : 'passed'
            : index === ended
              ? 'ended'
              : 'never';
        return html`<li key=${each} class=${state} title=${`${each}: ${
          {
            passed: 'passed',
            reused: 'passed earlier, the connection was reused',
            ended: 'failed here',
            never: 'not reached',
          }[state]
        }${timings[each] === undefined ? '' : `, ${span(timings[each])}`}`}><span>${shortNames[each] ?? each}</span></li>`;
      })}
    </ol>
    ${timed.length > 0 && html`<p class="soft">${span(total)}: ${timed.map(([name, ms]) => `${name} ${span(ms)}`).join(' · ')}</p>`}
  </div>`;
}

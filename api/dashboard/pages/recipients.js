// Who gets a mail, grouped by what became of it: the advice stands once for all whom it concerns.
import { html } from './html.js';
import { Prose, Status } from './parts.js';
import { causeWords, nextAttempt, plural } from './words.js';

const mostShown = 10;
const troubled = ['held', 'bounced', 'deferred', 'uncertain', 'expired', 'suppressed'];

/**
 * @param isSaid the advice of this cause stands above already
 * @param isBlocked no mail leaves, so that nobody's turn comes
 */
export function Recipients({ recipients, causes, isSaid, isBlocked }) {
  const groups = Map.groupBy
    ? Map.groupBy(recipients, outcomeOf)
    : recipients.reduce(
        (all, each) => all.set(outcomeOf(each), [...(all.get(outcomeOf(each)) ?? []), each]),
        new Map(),
      );
  return html`<div class="recipients">
    ${[...groups].map(([outcome, group]) => html`<${Group} key=${outcome} group=${group} causes=${causes} isSaid=${isSaid} isBlocked=${isBlocked} isOnly=${recipients.length === 1} />`)}
  </div>`;
}

const outcomeOf = ({ status, reason, after_sent: isLate }) => `${status} ${reason ?? ''} ${isLate ?? ''}`;

function Group({ group, causes, isSaid, isBlocked, isOnly }) {
  const [{ status, reason }] = group;
  const words = troubled.includes(status) && !isSaid?.(reason) ? causeWords(reason, causes) : undefined;
  const replies = new Set(group.map(({ reply }) => reply).filter(Boolean));
  const shared = replies.size === 1 ? [...replies][0] : undefined;
  const line = (recipient) => html`<li key=${recipient.address}>
    <span class="who">${recipient.address}</span>
    ${
      recipient.next_attempt_at &&
      !isBlocked &&
      ['queued', 'deferred'].includes(recipient.status) &&
      html` <span class="soft">${nextAttempt(recipient)}</span>`
    }
    ${!shared && recipient.reply && html`<pre class="said">${recipient.reply}</pre>`}
  </li>`;
  return html`<section class="outcomes">
    ${!isOnly && html`<p><${Status} status=${status} /> <span class="soft">${plural(group.length, 'recipient')}</span></p>`}
    ${words && html`<p><b>${words.title}.</b> <${Prose} text=${words.fix || words.meaning} /></p>`}
    <ul>${group.slice(0, mostShown).map(line)}</ul>
    ${
      group.length > mostShown &&
      html`<details><summary>${plural(group.length - mostShown, 'more recipient')}</summary><ul>${group.slice(mostShown).map(line)}</ul></details>`
    }
    ${shared && html`<pre class="said">${shared}</pre>`}
  </section>`;
}

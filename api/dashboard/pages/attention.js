// What needs attention, grouped by cause: how much, how old, what to do first, and one button for all of it.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { BulkDialog, bulkActs } from './bulk.js';
import { firstStep } from './fix.js';
import { html } from './html.js';
import { may } from './me.js';
import { Dialog, Prose, Status, useLoaded } from './parts.js';
import { ago, causeWords, plural, statusWords, upTo } from './words.js';

const retry = bulkActs.find(({ act }) => act === 'retry');
const decisions = [
  { act: 'resolve-sent', name: 'They arrived', says: 'Marks them as arrived. Nothing is sent again.' },
  {
    act: 'resolve-resend',
    name: 'Send once more',
    says: 'Sends them once more. Whoever has the email gets it twice.',
    danger: true,
  },
  { act: 'resolve-cancelled', name: 'Do not send', says: 'They are not sent again.', danger: true },
];

/** What one button can do for all of a group. What was refused for good is for the list, where one sees who it is about. */
function actOf({ status, cause }) {
  if (!may('operate')) return undefined;
  if (status === 'uncertain' || cause === 'uncertain-twice') return 'resolve';
  return status === 'bounced' || cause === 'not-configured' ? undefined : 'retry';
}

const listOf = ({ status, cause }) => `/emails?statuses=${status}${cause ? `&cause=${cause}` : ''}`;

export function Attention() {
  const { value, look } = useLoaded(() => ask('/dashboard/attention'), []);
  const [wanted, setWanted] = useState();
  const [deciding, setDeciding] = useState();
  const groups = value?.groups ?? [];
  const press = (group) => (actOf(group) === 'retry' ? setWanted({ group, act: retry }) : setDeciding(group));
  // A dialog stays until it is closed, also when what it did leaves no group: it says how it ended.
  return html`
    ${groups.length > 0 && html`<${Groups} groups=${groups} value=${value} onPress=${press} />`}
    ${
      deciding &&
      html`<${Dialog} title="Did they arrive?" onClose=${() => setDeciding(undefined)}>
        <p>All data was sent, and no final reply came. Ask some of the recipients, or look for the Message-IDs in the provider’s log. The decision is for all of the group.</p>
        <footer class="decisions">
          <button type="button" onClick=${() => setDeciding(undefined)}>Back</button>
          ${decisions.map(
            (each) =>
              html`<button type="button" key=${each.act} onClick=${() => {
                setWanted({ group: deciding, act: each });
                setDeciding(undefined);
              }}>${each.name}</button>`,
          )}
        </footer>
      </${Dialog}>`
    }
    ${
      wanted &&
      html`<${BulkDialog} wanted=${wanted.act} chosen=${new Set()}
        search=${{ statuses: wanted.group.status, cause: wanted.group.cause ?? undefined }}
        onClose=${async () => {
          setWanted(undefined);
          await look();
        }} />`
    }`;
}

const Groups = ({ groups, value, onPress }) => html`<section>
    <header class="bar"><h2>Needs attention</h2><a href="/emails?statuses=held,uncertain,deferred,bounced,expired">Show all</a></header>
    <ul class="groups">
      ${groups.map(
        (group) => html`<li key=${group.status + group.cause}>
          <${Group} group=${group} value=${value} onPress=${() => onPress(group)} />
        </li>`,
      )}
    </ul>
  </section>`;

function Group({ group, value, onPress }) {
  const { status, cause, count, oldest } = group;
  const words = causeWords(cause, value.causes);
  const step = firstStep(words?.fix);
  const act = actOf(group);
  const name = words?.title ?? statusWords[status].means;
  return html`
    <${Status} status=${status} />
    <div class="what">
      <a href=${listOf(group)}><${Prose} text=${name} /></a>
      ${step && html`<div class="soft"><${Prose} text=${step} /></div>`}
    </div>
    <div class="soft many"><b>${
      count >= value.counted_up_to ? `${upTo(count, value.counted_up_to)} emails` : plural(count, 'email')
    }</b> the oldest ${ago(oldest)}</div>
    ${
      act
        ? html`<button type="button" class="small" onClick=${onPress} aria-label=${`${act === 'retry' ? 'Try again' : 'Decide'}: ${name}`}>${act === 'retry' ? 'Try again' : 'Decide …'}</button>`
        : html`<a class="button small" href=${listOf(group)} aria-label=${`Show: ${name}`}>Show</a>`
    }`;
}

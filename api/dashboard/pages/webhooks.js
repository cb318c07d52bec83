// Webhooks: the endpoints that hear of events, what each of them heard, and hearing it again.
import { useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { DeliveryStatus } from './heard.js';
import { html } from './html.js';
import { Action, Copy, Dialog, Empty, Fault, Field, Time, useLoaded, useTitle } from './parts.js';
import { go, goWith } from './route.js';
import { ago, at, count, plural, span } from './words.js';

const causes = {
  'by-hand': 'A person switched it off. No events are written for it.',
  gone: 'It answered 410: it wants no more events. None are written for it.',
  failing:
    'No attempt succeeded for three days. Events are kept for 14 days, and are delivered when it is enabled again.',
};

function stateOf({ enabled, disabled_cause: cause, failing_since: failing }) {
  if (enabled) return failing ? { name: 'failing', tone: 'care' } : { name: 'enabled', tone: 'good' };
  return { name: 'disabled', tone: cause === 'failing' ? 'bad' : 'quiet' };
}

const State = ({ webhook }) => {
  const { name, tone } = stateOf(webhook);
  return html`<span class=${`status ${tone}`} title=${causes[webhook.disabled_cause]}>${name}</span>`;
};

const hears = ({ events, tags }) =>
  [
    events.includes('*') ? 'all events' : events.join(', '),
    ...tags.map(({ name, value }) => `${name}=${value}`),
  ].join(' · ');

export function Webhooks({ query: { after } }) {
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery('/api/v1/webhooks', { after, limit: 50 })),
    [after],
  );
  const [creating, setCreating] = useState(false);
  const webhooks = value?.data ?? [];
  return html`
    <header class="title"><h1>Webhooks</h1>
      <button type="button" class="primary" onClick=${() => setCreating(true)}>New endpoint</button></header>
    <p class="soft">Endpoints hear what becomes of each recipient, signed as <a href="/docs/webhooks" target="_blank">Standard Webhooks</a> says.</p>
    <${Fault} error=${error} />
    ${
      webhooks.length === 0 && !loading && !error
        ? html`<${Empty} title="No endpoints yet."><p>An application that hears of bounces need not ask for them.</p></${Empty}>`
        : html`<table class="rows webhooks" aria-busy=${loading}>
            <thead><tr><th class="state">State</th><th class="main">URL</th><th class="when">Waiting</th><th class="when">Created</th></tr></thead>
            <tbody>${webhooks.map(
              (
                webhook,
              ) => html`<tr key=${webhook.id} onClick=${(event) => !event.target.closest('a') && go(`/webhooks/${webhook.id}`)}>
                <td><${State} webhook=${webhook} /></td>
                <td class="main"><a class="subject" href=${`/webhooks/${webhook.id}`}>${webhook.url}</a>
                  <div class="soft">${[webhook.description, hears(webhook)].filter(Boolean).join(' · ')}</div></td>
                <td class="when count">${count(webhook.undelivered)}${webhook.dropped > 0 ? html`<div class="status bad">${count(webhook.dropped)} dropped</div>` : ''}</td>
                <td class="when"><${Time} time=${webhook.created_at} /></td>
              </tr>`,
            )}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages">
      ${after && html`<button type="button" onClick=${() => goWith({ after: undefined })}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => goWith({ after: value.next })}>Older</button>`}
    </nav>
    ${
      creating &&
      html`<${NewWebhook} onClose=${async () => {
        setCreating(false);
        await look();
      }} />`
    }`;
}

const eventGroups = {
  Emails: [
    ...[
      'email.queued',
      'email.sent',
      'email.deferred',
      'email.bounced',
      'email.complained',
      'email.uncertain',
    ],
    ...['email.held', 'email.expired', 'email.cancelled', 'email.captured', 'email.suppressed'],
  ],
  Others: ['suppression.added', 'suppression.removed', 'lane.stopped', 'lane.open', 'domain.changed'],
};

function NewWebhook({ onClose }) {
  const [error, setError] = useState();
  const [made, setMade] = useState();
  const [all, setAll] = useState(true);
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const description = form.get('description').trim();
    try {
      setMade(
        await ask('/api/v1/webhooks', {
          method: 'POST',
          body: {
            url: form.get('url').trim(),
            events: all ? ['*'] : form.getAll('event'),
            ...(description && { description }),
          },
        }),
      );
    } catch (problem) {
      setError(problem);
    }
  };
  if (made) return html`<${Secret} secret=${made.secret} onClose=${onClose} />`;
  return html`<${Dialog} title="New endpoint" onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label="URL" hint="Events are posted to it as JSON."><input name="url" type="url" required maxlength="2048" placeholder="https://shop.example.com/hooks/mail" /></${Field}>
      <${Field} label="Description"><input name="description" maxlength="500" /></${Field}>
      <fieldset><legend>Events</legend>
        <label class="check"><input type="checkbox" checked=${all} onChange=${() => setAll(!all)} /> All, also those that come later</label>
        ${
          !all &&
          Object.entries(eventGroups).map(
            ([group, events]) => html`<div class="checks" role="group" aria-label=${group} key=${group}>
              ${events.map((name) => html`<label class="check" key=${name}><input type="checkbox" name="event" value=${name} /> <code>${name}</code></label>`)}
            </div>`,
          )
        }
      </fieldset>
      <${Fault} error=${error} />
      <footer><button type="button" onClick=${onClose}>Back</button><button class="primary">Create</button></footer>
    </form>
  </${Dialog}>`;
}

const Secret = ({
  secret,
  until,
  onClose,
}) => html`<${Dialog} title="Copy this secret now" onClose=${onClose}>
  <p>The receiver checks the signature with it. It is shown only once.</p>
  ${until && html`<p>The old secret signs as well until <${Time} time=${until} />.</p>`}
  <p class="secret">${secret}</p>
  <footer><${Copy} text=${secret} label="Copy the secret" /><button type="button" class="primary" onClick=${onClose}>I have it</button></footer>
</${Dialog}>`;

export function WebhookPage({ id }) {
  const { value: webhook, error, look } = useLoaded(() => ask(`/api/v1/webhooks/${id}`), [id]);
  useTitle(webhook?.url ?? 'Webhook');
  const crumbs = html`<nav class="crumbs" aria-label="Where this is"><a href="/webhooks">Webhooks</a></nav>`;
  if (error && !webhook) return html`${crumbs}<h1>Endpoint not found</h1><${Fault} error=${error} />`;
  if (!webhook) return html`<h1 class="unseen">Webhook</h1><p class="soft" role="status">Loading …</p>`;
  const { tone } = stateOf(webhook);
  return html`
    ${crumbs}
    <header class="title mail"><h1>${webhook.url}</h1><${State} webhook=${webhook} /></header>
    <section class=${`now ${tone}`}>
      <p class="lead">${sentenceOf(webhook)}</p>
      <p class="soft">Hears ${hears(webhook)}.${webhook.description ? ` ${webhook.description}` : ''}</p>
      ${webhook.dropped > 0 && html`<p><b>${plural(webhook.dropped, 'event')} dropped.</b> More than 1,000,000 waited, or they were older than 14 days.</p>`}
    </section>
    <${Acts} webhook=${webhook} look=${look} />
    <${Deliveries} id=${id} />`;
}

function sentenceOf({ enabled, disabled_cause: cause, failing_since: failing, undelivered }) {
  const waiting =
    undelivered > 0 ? `${plural(undelivered, 'event')} wait${undelivered === 1 ? 's' : ''} for it.` : '';
  if (!enabled) return `${causes[cause] ?? 'It is disabled.'} ${waiting}`;
  if (failing) return `Every attempt failed since ${at(failing)}. ${waiting}`;
  return waiting || 'It heard of everything so far.';
}

function Acts({ webhook, look }) {
  const [error, setError] = useState();
  const [rotated, setRotated] = useState();
  const [tested, setTested] = useState();
  const path = `/api/v1/webhooks/${webhook.id}`;
  const switchTo = (enabled) => async () => {
    await ask(path, { method: 'PATCH', body: { enabled } });
    await look();
  };
  return html`<div class="actions" role="group" aria-label="Actions">
    ${
      webhook.enabled
        ? html`<${Action} kind="primary" onError=${setError} does=${async () => setTested(await ask(`${path}/test`, { method: 'POST' }))}>Send a test event</${Action}>`
        : html`<${Action} kind="primary" does=${switchTo(true)} onError=${setError}>Enable</${Action}>`
    }
    <${Action} onError=${setError} does=${async () => setRotated(await ask(`${path}/rotate-secret`, { method: 'POST' }))}
      confirm=${{ title: 'Make a new secret?', text: 'Both secrets sign for 24 hours, so that the receiver can be changed meanwhile.', yes: 'Make a new secret' }}>Rotate the secret</${Action}>
    ${
      webhook.enabled &&
      html`<${Action} does=${switchTo(false)} onError=${setError}
      confirm=${{ title: 'Disable this endpoint?', text: 'No more events are written for it. What waits stays for 14 days.', yes: 'Disable' }}>Disable</${Action}>`
    }
    <${Action} kind="danger" onError=${setError} does=${async () => {
      await ask(path, { method: 'DELETE' });
      go('/webhooks');
    }} confirm=${{ title: 'Delete this endpoint?', text: 'It hears of nothing more, and what it heard is forgotten. This cannot be undone.', yes: 'Delete', danger: true }}>Delete</${Action}>
    <${Fault} error=${error} />
    ${tested && html`<p class="outcome" role="status"><${DeliveryStatus} ...${tested} /> ${outcomeOf(tested)}</p>`}
    ${
      rotated &&
      html`<${Secret} secret=${rotated.secret} until=${rotated.previous_secret_until} onClose=${() => setRotated(undefined)} />`
    }
  </div>`;
}

const outcomeOf = ({ status, attempts, answer_status: answered, error, duration_ms: ms }) => {
  if (status === 'delivered') return `The test event arrived: it answered ${answered} in ${span(ms)}.`;
  if (attempts === 0 && !error) return 'No worker has taken the test event yet. Is the worker running?';
  return `The test event did not arrive: ${error ?? `it answered ${answered}`}.`;
};

const choices = [
  ['', 'All'],
  ['waiting', 'Waiting'],
  ['delivered', 'Delivered'],
  ['failed', 'Failed'],
];

function Deliveries({ id }) {
  const [status, setStatus] = useState('');
  const [after, setAfter] = useState();
  const path = `/api/v1/webhooks/${id}/deliveries`;
  const { value, error, loading, look } = useLoaded(
    () => ask(withQuery(path, { status, after, limit: 50 })),
    [id, status, after],
    { live: after === undefined },
  );
  const deliveries = value?.data ?? [];
  const replay = (delivery) => async () => {
    await ask(`${path}/${delivery}/replay`, { method: 'POST' });
    await look();
  };
  return html`<section aria-labelledby="deliveries">
    <div class="bar"><h2 id="deliveries">Deliveries</h2><${ReplayAll} id=${id} look=${look} /></div>
    <div class="chips" role="group" aria-label="Statuses">
      ${choices.map(
        ([
          value,
          name,
        ]) => html`<button type="button" class="chip waiting" key=${value} aria-pressed=${status === value}
          onClick=${() => {
            setStatus(value);
            setAfter(undefined);
          }}>${name}</button>`,
      )}
    </div>
    <${Fault} error=${error} />
    ${
      deliveries.length === 0 && !loading && !error
        ? html`<${Empty} title="No deliveries."><p>They are kept for 14 days.</p></${Empty}>`
        : html`<table class="rows deliveries" aria-busy=${loading}>
            <thead><tr><th class="state">Status</th><th class="main">Event</th><th>Answer</th><th class="when">When</th><th class="acts"><span class="unseen">Actions</span></th></tr></thead>
            <tbody>${deliveries.map((delivery) => html`<${Delivery} key=${delivery.id} delivery=${delivery} replay=${replay(delivery.id)} />`)}</tbody></table>`
    }
    <nav class="pages" aria-label="Pages of deliveries">
      ${after && html`<button type="button" onClick=${() => setAfter(undefined)}>Newest</button>`}
      ${value?.has_more && html`<button type="button" onClick=${() => setAfter(value.next)}>Older</button>`}
    </nav>
  </section>`;
}

function Delivery({ delivery, replay }) {
  const { data, answer, error, answer_status: answered, duration_ms: ms, attempts } = delivery;
  const next = delivery.next_attempt_at;
  const isAhead = next && new Date(next) > Date.now();
  return html`<tr>
    <td><${DeliveryStatus} ...${delivery} /></td>
    <td class="main"><div><code>${delivery.type}</code></div>${
      data.email_id
        ? html`<a href=${`/emails/${data.email_id}`}>${data.recipient ?? 'the email'}</a>`
        : html`<span class="soft">${data.recipient ?? data.address ?? data.lane ?? data.domain ?? ''}</span>`
    }
      <details><summary>Data</summary><pre class="said">${JSON.stringify(data, null, 2)}</pre>
        ${answer && html`<p class="soft">It answered:</p><pre class="said">${answer}</pre>`}</details></td>
    <td class="to answer">${answered ?? html`<span class="soft">–</span>`}${ms === null ? '' : html` <span class="soft">in ${span(ms)}</span>`}
      ${error && html`<div class="why">${error}</div>`}
      ${
        attempts > 0 &&
        html`<div class="soft">${plural(attempts, 'attempt')}${next ? `, next ${isAhead ? ago(next) : 'now'}` : ''}</div>`
      }</td>
    <td class="when"><${Time} time=${delivery.timestamp} /></td>
    <td class="acts"><${Action} kind="small" does=${replay}>${delivery.status === 'waiting' ? 'Try now' : 'Replay'}</${Action}></td>
  </tr>`;
}

const spans = [
  ['1', 'last hour'],
  ['24', 'last day'],
  ['336', 'last 14 days'],
];

function ReplayAll({ id, look }) {
  const [open, setOpen] = useState(false);
  const [done, setDone] = useState();
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const { hours, which } = event.target;
    const body = {
      since: new Date(Date.now() - hours.value * 3_600_000).toISOString(),
      ...(which.value && { status: which.value }),
    };
    try {
      setDone(await ask(`/api/v1/webhooks/${id}/replay`, { method: 'POST', body }));
      await look();
    } catch (problem) {
      setError(problem);
    }
  };
  const close = () => {
    setOpen(false);
    setDone(undefined);
    setError(undefined);
  };
  return html`<button type="button" class="small" onClick=${() => setOpen(true)}>Replay many</button>
    ${
      open &&
      html`<${Dialog} title="Deliver events again" onClose=${close}>
        <form onSubmit=${submit}>
          <p>Under the same ids: a receiver that has seen one can tell.</p>
          <${Field} label="Which"><select name="which"><option value="failed">failed</option><option value="delivered">delivered</option><option value="">failed and delivered</option></select></${Field}>
          <${Field} label="Since"><select name="hours">${spans.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select></${Field}>
          <${Fault} error=${error} />
          ${done && html`<p role="status">${plural(done.replayed, 'event')} ${done.replayed === 1 ? 'is' : 'are'} due now.${done.has_more ? ' There are more: press again.' : ''}</p>`}
          <footer><button type="button" onClick=${close}>${done ? 'Close' : 'Back'}</button><button class="primary">Replay</button></footer>
        </form>
      </${Dialog}>`
    }`;
}

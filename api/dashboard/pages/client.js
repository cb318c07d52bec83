// A client's form: all of its scheduled emails as one. What saving would do is shown first, entry by entry.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { Entry, Locked, Said } from './client-entry.js';
import { html } from './html.js';
import { may, whyNot } from './me.js';
import { Action, Dialog, Fault, Field, useLoaded, useTitle } from './parts.js';
import { plural } from './words.js';
import { localIn, ownZone, Zones } from './zones.js';

const pathOf = (client) => `/api/v1/client/${encodeURIComponent(client)}/email-config`;

export function ClientPage({ id }) {
  const client = decodeURIComponent(id);
  useTitle(client);
  const { value, error, look } = useLoaded(() => ask(pathOf(client)), [client], { live: false });
  const [fault, setFault] = useState();
  const [told, setTold] = useState();
  const head = html`<nav class="crumbs" aria-label="Where this is"><a href="/scheduled">Scheduled</a></nav>`;
  if (!value) return html`${head}<h1>${client}</h1><${Fault} error=${error} />`;
  const { config, emails } = value;
  const waiting = emails.filter(({ locked }) => !locked).length;
  const turn = (enabled) => async () => {
    const { changed, missed } = await ask('/dashboard/clients/switch', {
      method: 'POST',
      body: { client_id: client, enabled },
    });
    setTold(
      enabled
        ? `${plural(changed - missed, 'email')} will be sent at their time.${missed > 0 ? ` ${plural(missed, 'email')} expired, because the time has passed.` : ''}`
        : `${plural(changed, 'email')} ${changed === 1 ? 'is' : 'are'} on hold.`,
    );
    await look();
  };
  return html`${head}
    <header class="title"><h1>${client} <span class=${`status ${config.enabled ? 'good' : 'quiet'}`}>${config.enabled ? 'enabled' : 'paused'}</span></h1>
      ${
        config.enabled
          ? html`<${Action} does=${turn(false)} onError=${setFault} confirm=${{ title: `Pause ${client}?`, text: `${plural(waiting, 'email')} of the form will wait until somebody resumes it.`, yes: `Pause ${plural(waiting, 'email')}` }}>Pause</${Action}>`
          : html`<${Action} kind="primary" does=${turn(true)} onError=${setFault} confirm=${{ title: `Resume ${client}?`, text: `${plural(waiting, 'email')} of the form wait. Those whose time has passed expire; the others are sent at their time.`, yes: `Resume ${plural(waiting, 'email')}` }}>Resume</${Action}>`
      }
    </header>
    <p class="soft"><a href=${`/scheduled?text=${encodeURIComponent(client)}`}>Its scheduled emails</a> · <a href=${`/emails?client=${encodeURIComponent(client)}`}>All its emails</a></p>
    <${Fault} error=${fault} />
    ${told && html`<p role="status">${told}</p>`}
    ${!may('operate') ? html`<p class="soft">${whyNot('operate')}</p>` : html`<${Form} key=${emails.map(({ id: each, revision }) => each + revision).join() + config.enabled} client=${client} value=${value} onSaved=${look} />`}`;
}

const written = ({ address, name }) =>
  name ? `"${name.replaceAll(/["\\]/g, '\\$&')}" <${address}>` : address;

/** What is over stays as it is, and need not be said again; its body may be gone. */
const isOver = ({ finished_at: at, status }) => at !== null && status !== 'expired';

const asFields = (email, zone) => ({
  id: email.id,
  key: email.key,
  subject: email.subject,
  text: email.text ?? '',
  html: email.html ?? '',
  time: localIn(email.scheduled_datetime, zone || ownZone),
  given: email,
});

/** What was not touched is said as it was said before, so that it is kept. */
const timeOf = ({ time, given }, zone) => {
  if (given && time === localIn(given.scheduled_datetime, zone || ownZone))
    return given.local_datetime && zone
      ? given.local_datetime
      : new Date(given.scheduled_datetime).toISOString();
  return time;
};

const asEntry = (entry, zone) => ({
  key: entry.key.trim(),
  subject: entry.subject,
  ...(entry.text !== '' && { text: entry.text }),
  ...(entry.html !== '' && { html: entry.html }),
  scheduled_datetime: timeOf(entry, zone),
});

/** What stands at no field of the page. */
const rest = ({ body }, untouched) => ({
  body: {
    ...body,
    errors: (body?.errors ?? []).filter(
      ({ pointer = '' }) =>
        !/^#\/(recipients|reply_to|from_name|time_zone)/.test(pointer) &&
        !(Number(/^#\/emails\/(\d+)\//.exec(pointer)?.[1] ?? -1) >= untouched),
    ),
  },
});

function Form({ client, value: { config, emails }, onSaved }) {
  const first = config.time_zone ?? '';
  const [zone, setZone] = useState(first);
  const [recipients, setRecipients] = useState(config.recipients.map(written).join(', '));
  const [replyTo, setReplyTo] = useState(config.reply_to.map(written).join(', '));
  const [fromName, setFromName] = useState(config.from_name ?? '');
  const editable = emails.filter((email) => !email.locked && !isOver(email));
  const onTheWay = emails.filter((email) => email.locked && !isOver(email) && email.finished_at === null);
  const [entries, setEntries] = useState(editable.map((email) => asFields(email, first)));
  const [error, setError] = useState();
  const [preview, setPreview] = useState();
  const untouched = onTheWay.map((email) => asFields(email, first));
  const body = () => ({
    enabled: config.enabled,
    recipients: recipients.trim() === '' ? [] : recipients,
    ...(replyTo.trim() !== '' && { reply_to: replyTo }),
    ...(fromName.trim() !== '' && { from_name: fromName.trim() }),
    ...(zone !== '' && { time_zone: zone }),
    tags: config.tags,
    ...(config.stream && { stream: config.stream }),
    emails: [...untouched, ...entries].map((entry) => asEntry(entry, zone)),
  });
  const look = async (event) => {
    event.preventDefault();
    setError(undefined);
    try {
      const given = body();
      setPreview({
        given,
        answer: await ask(`${pathOf(client)}?preview=true`, { method: 'PUT', body: given }),
      });
    } catch (problem) {
      setError(problem);
    }
  };
  const save = async () => {
    await ask(pathOf(client), { method: 'PUT', body: preview.given });
    setPreview(undefined);
    await onSaved();
  };
  const set = (index, changes) =>
    setEntries(entries.map((entry, at) => (at === index ? { ...entry, ...changes } : entry)));
  const faults = error?.body?.errors ?? [];
  const at = (pointer) => faults.filter((each) => each.pointer === pointer);
  return html`<form class="client-form" onSubmit=${look}>
    <section>
      <h2>For all of its emails</h2>
      <${Said} faults=${faults.filter(({ pointer }) => pointer?.startsWith('#/recipients'))}><${Field} label="Recipients" hint="With commas between them."><input value=${recipients} onInput=${(event) => setRecipients(event.target.value)} spellcheck="false" /></${Field}></${Said}>
      <${Said} faults=${at('#/from_name')}><${Field} label="Name of the sender"><input value=${fromName} onInput=${(event) => setFromName(event.target.value)} /></${Field}></${Said}>
      <${Said} faults=${faults.filter(({ pointer }) => pointer?.startsWith('#/reply_to'))}><${Field} label="Reply to"><input value=${replyTo} onInput=${(event) => setReplyTo(event.target.value)} spellcheck="false" /></${Field}></${Said}>
      <${Said} faults=${at('#/time_zone')}><${Field} label="Time zone" hint="Of all times below."><${Zones} first=${['', first]} value=${zone} onChange=${setZone} /></${Field}></${Said}>
    </section>
    <section>
      <header class="bar"><h2>Emails</h2><button type="button" class="small" onClick=${() => setEntries([...entries, { id: `new ${Date.now()}`, key: '', subject: '', text: '', html: '', time: '' }])}>Add an email</button></header>
      ${entries.length === 0 && html`<p class="soft">None that can be changed.</p>`}
      ${entries.map(
        (
          entry,
          index,
        ) => html`<${Entry} key=${entry.id} entry=${entry} onChange=${(changes) => set(index, changes)}
          onRemove=${() => setEntries(entries.filter((each) => each !== entry))}
          faults=${faults.filter(({ pointer }) => pointer?.startsWith(`#/emails/${untouched.length + index}/`))} />`,
      )}
      <${Locked} emails=${emails.filter((email) => !editable.includes(email))} />
    </section>
    <${Fault} error=${error && { ...rest(error, untouched.length), message: faults.length > 0 ? `Nothing was saved: ${plural(faults.length, 'field')} ${faults.length === 1 ? 'is' : 'are'} wrong.` : error.message }} />
    <footer class="actions"><button class="primary">Check and save</button></footer>
    ${preview && html`<${Preview} changes=${preview.answer.changes} save=${save} onClose=${() => setPreview(undefined)} />`}
  </form>`;
}

const words = {
  created: ['good', 'will be created'],
  updated: ['care', 'will be changed in place'],
  cancelled: ['bad', 'will be cancelled'],
  locked: ['quiet', 'cannot be changed: sent, or on the way'],
  kept: ['quiet', 'will not change'],
};

/** What saving would do, as the api itself tried it. */
function Preview({ changes, save, onClose }) {
  const [error, setError] = useState();
  const of = (change) => changes.filter((each) => each.change === change).map(({ key }) => key);
  const counted = Object.keys(words).filter(
    (change) => of(change).length > 0 && change !== 'kept' && change !== 'locked',
  );
  return html`<${Dialog} title="What saving does" onClose=${onClose}>
    <ul class="changes">${Object.entries(words)
      .filter(([change]) => of(change).length > 0)
      .map(
        ([change, [tone, says]]) => html`<li key=${change}><span class=${`status ${tone}`}>${change}</span>
          <span><b>${plural(of(change).length, 'email')}</b> ${says}${change === 'kept' ? '' : `: ${of(change).join(', ')}`}</span></li>`,
      )}</ul>
    ${changes.length === 0 && html`<p>The form will hold no emails.</p>`}
    <${Fault} error=${error} />
    <footer><button type="button" onClick=${onClose}>Back</button>
      <${Action} kind=${of('cancelled').length > 0 ? 'danger' : 'primary'} does=${save} onError=${setError}>Save${counted.length > 0 ? `: ${counted.map((change) => `${of(change).length} ${change}`).join(', ')}` : ''}</${Action}>
    </footer>
  </${Dialog}>`;
}

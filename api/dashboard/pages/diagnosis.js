// Diagnosis: what the relay found on its way out, a test mail whose stages arrive as they happen, and the settings as
// the relay saw them. Never a secret.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { Domains } from './domains.js';
import { eventsOf } from './events.js';
import { Fix } from './fix.js';
import { html } from './html.js';
import { useOverview } from './live.js';
import { may, whyNot } from './me.js';
import { Copy, Fault, Field, Prose, Time, useLoaded } from './parts.js';
import { verdictOf } from './verdict.js';
import { Verdict } from './verdict-card.js';
import { bytes, sentence, span } from './words.js';

export function Diagnosis() {
  const { overview, isDatabaseAway } = useOverview();
  return html`
    <header class="title"><h1>Diagnosis</h1></header>
    ${(overview || isDatabaseAway) && html`<${Verdict} verdict=${verdictOf(overview ?? {}, { isDatabaseAway })} level="h2" />`}
    ${may('operate') ? html`<${Doctor} /><${TestMail} />` : html`<p class="soft">${whyNot('operate')}</p>`}
    ${overview?.relay?.preflight?.walks.length > 0 && html`<${Examined} examined=${overview.relay.preflight} />`}
    <${Domains} />
    ${may('operate') && html`<${Settings} /><${UnknownReplies} />`}
    <section>
      <h2>In a terminal</h2>
      <p>Where the relay runs, <code>npm run doctor</code> does the same in a terminal, as it is or as JSON.${' '}
        <code>npm run diagnose "535 5.7.8 …"</code> explains a pasted error.</p>
    </section>`;
}

const bare = { 'not reached': 'quiet', skipped: 'quiet', passed: 'good', failed: 'bad' };

function Doctor() {
  const [walks, setWalks] = useState([]);
  const [outcome, setOutcome] = useState();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setWalks([]);
    setOutcome(undefined);
    setBusy(true);
    try {
      for await (const { name, data } of eventsOf('/dashboard/doctor', {})) {
        if (name === 'walks') setWalks(data);
        else setOutcome({ name, data });
      }
    } catch (error) {
      setOutcome({
        name: 'problem',
        data: { title: 'The doctor could not be started', detail: error.message, ...error.body },
      });
    } finally {
      setBusy(false);
    }
  };
  return html`<section aria-label="The doctor">
    <h2>The doctor</h2>
    <p class="soft">The relay tests the connection to the provider, stage by stage. It signs in once and sends nothing.</p>
    <p><button type="button" class="primary" onClick=${run} disabled=${busy}>${busy ? 'Examining …' : 'Run the doctor'}</button></p>
    ${walks.map((walk) => html`<${Walked} key=${walk.route + walk.family} walk=${walk} busy=${busy} />`)}
    <div aria-live="polite">${outcome && html`<${Found} outcome=${outcome} />`}</div>
  </section>`;
}

const Walked = ({ walk: { host, port, family, steps }, busy }) => html`<section class="walk">
  <h3>${host}:${port} <span class="soft">${family ?? ''}</span></h3>
  <ol class="stages">
    ${steps.map(
      ({ stage, outcome, ms, says }) => html`<li key=${stage}>
        <span class=${`status ${bare[outcome]}`}>${stage}</span>
        <span class="soft">${ms === null ? '' : span(ms)}</span>
        <span>${outcome === 'not reached' ? html`<span class="soft">${busy ? '…' : 'not reached'}</span>` : html`<code>${says}</code>`}</span>
      </li>`,
    )}
  </ol>
</section>`;

function Found({ outcome: { name, data } }) {
  const found = data.diagnosis ?? (name === 'problem' ? data : null);
  return html`<section class=${`now ${name === 'result' && data.ok ? 'good' : 'bad'} outcome`}>
    <p class="lead">${found ? html`<${Prose} text=${found.title} />` : `Mail can leave through ${data.route}.`}</p>
    ${found && html`<p><${Prose} text=${found.meaning ?? found.detail} /></p>`}
    ${found?.because && html`<p class="soft">${found.because}</p>`}
    <${Fix} text=${found?.fix} />
    ${found?.where && html`<p><${Prose} text=${found.where} /></p>`}
    ${found?.reply && html`<pre class="said">${found.reply}</pre>`}
    ${data.notes?.map((note) => html`<p class="soft" key=${note}>${note}</p>`)}
  </section>`;
}

function TestMail() {
  const [stages, setStages] = useState([]);
  const [outcome, setOutcome] = useState();
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const to = event.target.to.value.trim();
    setStages([]);
    setOutcome(undefined);
    setBusy(true);
    try {
      for await (const { name, data } of eventsOf('/api/v1/test-email', to ? { to } : {})) {
        if (name === 'stage') setStages((before) => [...before, data]);
        else setOutcome({ name, data });
      }
    } catch (error) {
      setOutcome({ name: 'problem', data: { detail: error.message, ...error.body } });
    } finally {
      setBusy(false);
    }
  };
  return html`<section>
    <h2>Send a test email</h2>
    <form class="line-form" onSubmit=${submit}>
      <${Field} label="To" hint="Empty: to the From address."><input name="to" type="email" /></${Field}>
      <button class="primary" disabled=${busy}>${busy ? 'Sending …' : 'Send'}</button>
    </form>
    ${stages.length > 0 && html`<${Stages} stages=${stages} />`}
    <div aria-live="polite">${outcome && html`<${Outcome} outcome=${outcome} />`}</div>
  </section>`;
}

const Stages = ({ stages }) => html`<ol class="stages">
  ${stages.map(
    ({ stage, ok, host, port, ms, reply }, index) => html`<li key=${index}>
      <span class=${`status ${ok ? 'good' : 'bad'}`}>${stage}</span>
      <span class="soft">${ms === null || ms === undefined ? '' : span(ms)}</span>
      <span>${host && html`<span class="soft">${host}:${port} </span>`}${reply && html`<code>${reply}</code>`}</span>
    </li>`,
  )}
</ol>`;

function Outcome({ outcome: { name, data } }) {
  const isSent = name === 'result' && data.sent;
  return html`<section class=${`now ${isSent ? 'good' : 'bad'} outcome`}>
    <p class="lead">${isSent ? `Sent. The provider said: ${data.reply}` : (data.title ?? data.detail)}</p>
    ${!isSent && data.title && data.detail !== data.title && html`<p>${data.detail}</p>`}
    ${!isSent && html`<${Fix} text=${data.fix} />`}
    ${!isSent && data.reply && html`<pre class="said">${data.reply}</pre>`}
    ${data.email_id && html`<p><a href=${`/emails/${data.email_id}`}>Show this email</a></p>`}
  </section>`;
}

const Examined = ({ examined }) => html`<section>
  <h2>What the relay found <span class="soft">on ${examined.platform}, <${Time} time=${examined.at} relative /></span></h2>
  <ol class="stages examined">
    ${examined.walks.map(
      ({ route, host, port, family, failed_at: failedAt, cause, reply }) => html`<li key=${route + family}>
        <span class=${`status ${failedAt ? 'bad' : 'good'}`}>${failedAt ? `failed at ${failedAt}` : 'works'}</span>
        <span>${host}:${port}</span>
        <span><span class="soft">${family ?? ''} ${cause ? sentence(cause) : ''}</span> ${reply && html`<code>${reply}</code>`}</span>
      </li>`,
    )}
  </ol>
  ${examined.notes.map((note) => html`<p class="soft" key=${note}>${note}</p>`)}
</section>`;

const shown = 20;

function UnknownReplies() {
  const { value, error } = useLoaded(() => ask('/api/v1/unknown-replies'), []);
  if (!value) return html`<${Fault} error=${error} />`;
  if (value.data.length === 0) return null;
  const report = value.data.map(({ template, cause, seen }) => `${seen} x ${cause}: ${template}`).join('\n');
  return html`<section aria-label="Unknown replies">
    <h2>Unknown replies</h2>
    <p class="soft">Postern has no rule for these replies and used only their code. Addresses, hosts and ids are removed, so you can share the list.
      ${value.data.length > shown && ` The newest ${shown} of ${value.data.length}; the report has all.`}</p>
    <p><${Copy} text=${report} label="Copy for a report" /></p>
    <table class="rows">
      <thead><tr><th>Reply</th><th class="state">Seen</th></tr></thead>
      <tbody>
        ${value.data.slice(0, shown).map(
          ({ template, cause, seen, last_at: lastAt }) => html`<tr key=${template}>
            <td><code>${template}</code><br />
              <span class="soft">Taken for: ${sentence(cause)}, last seen <${Time} time=${lastAt} relative /></span></td>
            <td>${seen === 1 ? 'once' : `${seen} times`}</td></tr>`,
        )}
      </tbody>
    </table>
  </section>`;
}

function Settings() {
  const { value, error } = useLoaded(() => ask('/api/v1/test-email/config'), []);
  if (!value) return html`<${Fault} error=${error} />`;
  const elsewhere = value.set_on_api.filter((name) => value.missing.includes(name));
  const row = (name, tone, word, says) => html`<tr key=${name + says}>
    <td class="name"><code>${name}</code></td><td><span class=${`status ${tone}`}>${word}</span></td><td class="says">${says}</td></tr>`;
  return html`<section>
    <h2>Settings of the relay, read at its start</h2>
    <table class="rows settings">
      <thead><tr><th class="name">Variable</th><th class="state">State</th><th>Details</th></tr></thead>
      <tbody>
        ${value.missing.map((name) =>
          row(
            name,
            'bad',
            'missing',
            elsewhere.includes(name)
              ? 'It is set for the api, but the relay does not have it: give it to the relay and restart it.'
              : 'Set it for the relay and restart it.',
          ),
        )}
        ${value.problems
          .filter(({ variable }) => !value.missing.includes(variable))
          .map(({ variable, severity, problem, shape, fix }) =>
            row(
              variable,
              severity === 'problem' ? 'bad' : 'care',
              severity,
              `${sentence(problem)} (${shape}). ${fix}`,
            ),
          )}
        ${Object.entries(value.secrets).map(([name, { length, fingerprint }]) =>
          row(name, 'good', 'set', `${length} characters, fingerprint ${fingerprint}`),
        )}
        ${value.from && row('SMTP_FROM_EMAIL', 'good', 'set', value.from)}
        ${value.delivery_mode && row('DELIVERY_MODE', 'quiet', value.delivery_mode, value.delivery_mode === 'deliver' ? 'Mail leaves.' : 'Not all mail leaves: this setting keeps it here.')}
        ${value.max_message_size && row('RELAY_MAX_MESSAGE_SIZE', 'quiet', bytes(value.max_message_size), 'The largest message that is accepted.')}
        ${value.allowed_senders.length > 0 && row('SMTP_ALLOWED_SENDERS', 'quiet', 'senders', value.allowed_senders.join(', '))}
      </tbody>
    </table>
  </section>`;
}

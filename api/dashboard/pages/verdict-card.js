// The sentence that says whether mail can leave, with what to do and the buttons that do it.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { eventsOf } from './events.js';
import { Fix } from './fix.js';
import { html } from './html.js';
import { may } from './me.js';
import { Prose } from './parts.js';

/** @param level the heading it is, where the page has another first one */
export function Verdict({ verdict, level = 'h1' }) {
  const { tone, title, others = [] } = verdict;
  return html`<section class=${`verdict ${tone}`} aria-live="polite">
    <${level} class="headline"><${Prose} text=${title} /></${level}>
    <${Body} verdict=${verdict} />
    ${
      others.length > 0 &&
      html`<ul class="others" aria-label="Also wrong now">
        ${others.map(
          (other) => html`<li key=${other.title} class=${other.tone}>
            <details>
              <summary><${Prose} text=${other.title} /></summary>
              <${Body} verdict=${other} />
            </details>
          </li>`,
        )}
      </ul>`
    }
  </section>`;
}

function Body({ verdict: { meaning, fix, words, facts, findings = [], acts = [] } }) {
  return html`
    ${meaning && html`<p><${Prose} text=${meaning} /></p>`}
    ${findings.map(
      (finding) => html`<div class="finding" key=${finding.variable + finding.problem}>
        <p><code>${finding.variable}</code> ${finding.problem} <span class="soft">(${finding.shape})</span></p>
        <${Fix} text=${finding.fix} />
      </div>`,
    )}
    ${findings.length === 0 && html`<${Fix} text=${fix} />`}
    ${words && html`<pre class="said" aria-label="Reply">${words}</pre>`}
    ${facts.length > 0 && html`<p class="facts">${facts.map((fact) => (fact.href ? html`<a href=${fact.href}>${fact.text}</a> ` : `${fact} `))}</p>`}
    ${acts.length > 0 && may('operate') && html`<${Acts} acts=${acts} />`}`;
}

/** Runs the doctor in the relay; resolves with what it found, in one sentence. */
async function check() {
  let said = 'The relay does not answer.';
  for await (const { name, data } of eventsOf('/dashboard/doctor', {})) {
    if (name === 'walks') continue;
    said =
      name === 'result' && data.ok
        ? `Mail can leave through ${data.route}.`
        : `Still the same: ${data.diagnosis?.title ?? data.detail ?? data.title}.`;
  }
  return said.replace(/\.+$/, '.');
}

async function tryNow() {
  const { asked } = await ask('/dashboard/try-now', { method: 'POST' });
  return asked
    ? 'The relay tries now; a refused sign-in at most every 30 seconds.'
    : 'Nothing waits for another try.';
}

const known = { check: ['Check again', 'Checking …', check], try: ['Try now', 'Asking …', tryNow] };

function Acts({ acts }) {
  const [busy, setBusy] = useState();
  const [said, setSaid] = useState();
  const press = (act) => async () => {
    setBusy(act);
    setSaid(undefined);
    try {
      setSaid(await known[act][2]());
    } catch (error) {
      setSaid(error.message);
    } finally {
      setBusy(undefined);
    }
  };
  return html`<div class="acts">
    ${acts.map((act) => {
      const [name, doing] = known[act];
      return html`<button type="button" key=${act} disabled=${busy !== undefined} aria-busy=${busy === act} onClick=${press(act)}>${busy === act ? doing : name}</button>`;
    })}
    <span class="soft" role="status">${said}</span>
  </div>`;
}

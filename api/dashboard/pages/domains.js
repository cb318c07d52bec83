// What DNS says of the domains that mail is sent from, and the record to publish where something is wrong.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { Copy, Fault, Time, useLoaded } from './parts.js';

const tones = {
  fail: 'bad',
  warn: 'care',
  unknown: 'quiet',
  note: 'quiet',
  pass: 'good',
  'not-applicable': 'quiet',
};
const answers = { yes: 'good', no: 'bad', unknown: 'quiet' };

export function Domains() {
  const { value, error, look } = useLoaded(() => ask('/api/v1/domains'), []);
  if (!value) return html`<${Fault} error=${error} />`;
  if (value.data.length === 0) return null;
  return html`<section aria-label="Your domains">
    <h2>Your domains in DNS</h2>
    <p class="soft">SPF, DKIM, DMARC and MX, as receivers see them. This says what is published, not where mail ends.</p>
    ${value.data.map((domain) => html`<${Domain} key=${domain.domain} found=${domain} look=${look} />`)}
  </section>`;
}

function Domain({ found, look }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState();
  const { domain, result, checked_at: checkedAt, findings, receivers } = found;
  const check = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await ask(`/api/v1/domains/${encodeURIComponent(domain)}/check`);
      await look();
    } catch (fault) {
      setError(fault);
    } finally {
      setBusy(false);
    }
  };
  return html`<section aria-label=${domain}>
    <h3>${domain} ${result && html`<span class=${`status ${tones[result]}`}>${result}</span>`}${' '}
      <span class="soft">${checkedAt ? html`looked at <${Time} time=${checkedAt} relative />` : 'not looked at yet'}</span></h3>
    <p><button type="button" onClick=${check} disabled=${busy}>${busy ? 'Asking DNS …' : 'Look again'}</button></p>
    <div aria-live="polite">${error && html`<${Fault} error=${error} />`}</div>
    ${findings.length > 0 && html`<ul class="findings">${findings.map((finding) => html`<${Finding} key=${finding.cause} finding=${finding} />`)}</ul>`}
    ${
      receivers.length > 0 &&
      html`<p class="soft">What the large receivers ask for is there: ${receivers.map(
        ({ receiver, answer }) =>
          html`<span key=${receiver}>${receiver} <span class=${`status ${answers[answer]}`}>${answer}</span> </span>`,
      )}</p>`
    }
  </section>`;
}

const Finding = ({ finding: { check, result, title, fix, record, evidence } }) => html`<li>
  <p><span class=${`status ${tones[result]}`}>${check}</span> ${title}</p>
  ${fix && html`<p class="fix">${fix}</p>`}
  ${
    record &&
    html`<dl class="record">
      <dt>Name</dt><dd><code>${record.host}</code> <${Copy} text=${record.host} label="Copy the name" /></dd>
      <dt>Type</dt><dd><code>${record.type}</code></dd>
      <dt>Value</dt><dd><code>${record.value}</code> <${Copy} text=${record.value} label="Copy the value" /></dd>
    </dl>`
  }
  ${result !== 'pass' && evidence.map((line) => html`<p class="soft" key=${line}>DNS: <code>${line}</code></p>`)}
</li>`;

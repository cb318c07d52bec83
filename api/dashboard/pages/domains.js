// What DNS says of the domains that mail is sent from, and the record to publish where something is wrong.
import { useState } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import { useOverview } from './live.js';
import { may, whyNot } from './me.js';
import { Copy, Fault, Time, useLoaded } from './parts.js';
import { plural, span } from './words.js';

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
  const { domain, result, checked_at: checkedAt, findings, receivers, refusals, canaries } = found;
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
  return html`<section aria-label=${domain} class="domain">
    <h3>${domain} ${result && html`<span class=${`status ${tones[result]}`}>${result}</span>`}</h3>
    <p><button type="button" onClick=${check} disabled=${busy}>${busy ? 'Asking DNS …' : checkedAt ? 'Look again' : 'Look now'}</button>${' '}
      <span class="soft">${checkedAt ? html`looked at <${Time} time=${checkedAt} relative />` : 'not looked at yet'}</span></p>
    <div aria-live="polite">${error && html`<${Fault} error=${error} />`}</div>
    ${findings.length > 0 && html`<ul class="findings">${findings.map((finding) => html`<${Finding} key=${finding.cause} finding=${finding} />`)}</ul>`}
    ${
      receivers.length > 0 &&
      html`<p class="soft">What the large receivers ask for is there: ${receivers.map(
        ({ receiver, answer }) =>
          html`<span key=${receiver}>${receiver} <span class=${`status ${answers[answer]}`}>${answer}</span> </span>`,
      )}</p>`
    }
    ${refusals.length > 0 && html`<${Refusals} refusals=${refusals} receivers=${receivers} />`}
    <${Canaries} domain=${domain} canaries=${canaries} look=${look} />
  </section>`;
}

/** What delivery reports tell of mail that was refused because of this domain. */
const Refusals = ({ refusals, receivers }) => html`<p>Receivers refused mail of this domain in 14 days:</p>
  <ul class="findings">${refusals.map(({ code, cause, title, count, last_at: last, reply }) => {
    const whose = receivers.filter(({ codes }) => codes.includes(code)).map(({ receiver }) => receiver);
    return html`<li class="bad" key=${code + cause}>
      <p><span class="status bad">${code ?? 'no code'}</span> ${title ?? cause}: ${plural(count, 'recipient')}, the last one <${Time} time=${last} relative />${
        whose.length > 0 ? `. A rule of ${whose.join(' and ')}` : ''
      }</p>
      ${reply && html`<pre class="said">${reply}</pre>`}
    </li>`;
  })}</ul>`;

const lookEveryMs = 1_000;
// Mail takes its time: greylisting, a provider that scans. The page goes on showing what it knows.
const mostLooks = 60;

/** A mail to oneself, read back from the mailbox. */
function Canaries({ domain, canaries, look }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState();
  const { overview } = useOverview();
  const send = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { asked_at: asked } = await ask(`/api/v1/domains/${encodeURIComponent(domain)}/canary`, {
        method: 'POST',
      });
      for (let looks = 0; looks < mostLooks; looks++) {
        await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
        const { data } = await ask('/api/v1/domains');
        const mine = data.find((each) => each.domain === domain)?.canaries ?? [];
        const isNew = mine.length > 0 && mine.every(({ queued_at: at }) => at >= asked);
        if (isNew) await look();
        if (isNew && mine.every(({ state }) => state === 'returned')) break;
      }
    } catch (fault) {
      setError(fault);
    } finally {
      setBusy(false);
    }
  };
  // Without a mailbox that is read it could not come back.
  if ((!overview?.mailbox || !may('operate')) && canaries.length === 0) return null;
  return html`<section aria-label=${`Test mail of ${domain}`}>
    <h4>Test mail to yourself</h4>
    <p class="soft">Sent from ${domain}, and read back in the mailbox for delivery reports: in which folder it came, and what the receiver says.</p>
    <p><button type="button" onClick=${send} disabled=${busy || !may('operate')} title=${whyNot('operate')}>${busy ? 'Waiting for the mail …' : 'Send a test mail'}</button></p>
    <div aria-live="polite">
      ${error && html`<${Fault} error=${error} />`}
      ${canaries.map((canary) => html`<${Canary} key=${canary.queue_id} canary=${canary} />`)}
    </div>
  </section>`;
}

const canaryStates = {
  unsent: ['care', 'not sent yet'],
  waiting: ['waiting', 'not back yet'],
  missing: ['bad', 'did not come back'],
};

function Canary({ canary }) {
  const { recipient, state, queued_at: queuedAt, delay_seconds: delay, result, findings } = canary;
  const [tone, word] = canaryStates[state] ?? [tones[result], result];
  return html`<p>To ${recipient}, <${Time} time=${queuedAt} relative />: <span class=${`status ${tone}`}>${word}</span>
      ${state === 'returned' && html` <span class="soft">after ${span(delay * 1_000)}</span>`}</p>
    ${
      state === 'missing' &&
      html`<p class="fix">The provider took it, and it is not in the mailbox. Look at its delivery reports, and whether the address forwards to the mailbox.</p>`
    }
    ${findings.length > 0 && html`<ul class="findings">${findings.map((each) => html`<${Finding} key=${each.cause} finding=${each} says="Receiver" />`)}</ul>`}`;
}

const Finding = ({
  finding: { check, result, title, fix, record, evidence },
  says = 'DNS',
}) => html`<li class=${tones[result]}>
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
  ${result !== 'pass' && evidence.map((line) => html`<p class="soft" key=${line}>${says}: <code>${line}</code></p>`)}
</li>`;

// Acts on several emails at once: those that were chosen, or all that a search finds.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, withQuery } from './ask.js';
import { html } from './html.js';
import { may } from './me.js';
import { Dialog, Fault } from './parts.js';
import { count, plural, upTo } from './words.js';

export const bulkActs = [
  {
    act: 'retry',
    name: 'Try again',
    says: 'Tries held, deferred, bounced and expired emails again at once.',
  },
  {
    act: 'cancel',
    name: 'Cancel',
    says: 'Cancels emails that were not sent yet. Emails that were sent, or may have been, do not change.',
    danger: true,
  },
  { act: 'hold', name: 'Hold', says: 'Keeps pending emails until somebody releases them.' },
  { act: 'release', name: 'Release', says: 'Releases emails that were put on hold.' },
];

export function Bulk({ search, isFiltered, chosen, onDone, any }) {
  const [wanted, setWanted] = useState();
  const isOffered = may('operate') && any && (chosen.size > 0 || isFiltered);
  // What is under way goes on, and says how it ended, also when it leaves nothing in the list.
  if (!isOffered && !wanted) return null;
  return html`<div class="bulk" role="group" aria-label="Actions on several emails">
    <span>${chosen.size > 0 ? `${plural(chosen.size, 'email')} chosen:` : 'With all that match:'}</span>
    ${bulkActs.map(
      (each) =>
        html`<button type="button" key=${each.act} class="small" onClick=${() => setWanted(each)}>${each.name}</button>`,
    )}
    ${
      wanted &&
      html`<${BulkDialog} wanted=${wanted} search=${search} chosen=${chosen} onClose=${(done) => {
        setWanted(undefined);
        if (done) onDone();
      }} />`
    }
  </div>`;
}

export function BulkDialog({ wanted, search, chosen, onClose }) {
  const [found, setFound] = useState();
  const [progress, setProgress] = useState();
  const [error, setError] = useState();
  const stop = useRef(false);
  useEffect(() => {
    if (chosen.size > 0) setFound({ count: chosen.size, counted_up_to: Number.POSITIVE_INFINITY });
    else ask(withQuery('/dashboard/emails/count', search)).then(setFound, setError);
    return () => {
      stop.current = true;
    };
  }, []);

  const run = async () => {
    const total = { done: 0, late: 0 };
    setProgress({ ...total });
    try {
      for await (const results of inPortions(wanted.act, search, chosen, found, stop)) {
        for (const { outcome } of results) total[outcome === 'done' ? 'done' : 'late'] += 1;
        setProgress({ ...total });
      }
      setProgress({ ...total, over: true });
    } catch (problem) {
      setError(problem);
    }
  };

  const shown = found && upTo(found.count, found.counted_up_to);
  return html`<${Dialog} title=${`${wanted.name}: ${shown ?? '…'} ${found?.count === 1 ? 'email' : 'emails'}`}
    onClose=${() => onClose(progress !== undefined)}>
    <p>${wanted.says}</p>
    <${Fault} error=${error} />
    ${
      progress &&
      html`<p role="status"><progress max=${found.count || 1} value=${progress.done + progress.late}></progress>
        ${count(progress.done)} done${progress.late > 0 ? `, ${count(progress.late)} ${wanted.act === 'retry' ? 'left already' : 'not changed'}` : ''}.</p>`
    }
    <footer>
      ${
        progress
          ? html`<button type="button" class="primary" onClick=${() => onClose(true)}>${progress.over ? 'Close' : 'Stop'}</button>`
          : html`<button type="button" onClick=${() => onClose(false)}>Back</button>
              <button type="button" class=${wanted.danger ? 'danger' : 'primary'} onClick=${run} disabled=${!found || found.count === 0}>
                ${wanted.name} ${shown}</button>`
      }
    </footer>
  </${Dialog}>`;
}

async function* inPortions(act, search, chosen, found, stop) {
  const send = (body) => ask('/dashboard/emails/act', { method: 'POST', body: { act, ...body } });
  if (chosen.size > 0) {
    yield (await send({ ids: [...chosen] })).results;
    return;
  }
  const given = Object.fromEntries(Object.entries(search).filter(([, value]) => value));
  let after;
  do {
    const { results, next } = await send({ search: given, newest: found.newest, ...(after && { after }) });
    yield results;
    after = next;
  } while (after && !stop.current);
}

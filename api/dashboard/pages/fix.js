// What to do, as numbered steps, with what is typed in a terminal to copy.
import { html } from './html.js';
import { Copy, Prose } from './parts.js';

/** One step for each sentence, and for what follows the change. */
function stepsOf(text = '') {
  return text
    .split(/(?<=[.!?])\s+(?=[A-Z`"“])|[,;] (?=then (?:redeploy|restart|start|run|try)\b)/)
    .map((step) => step.trim())
    .filter(Boolean)
    .map((step) => step.charAt(0).toUpperCase() + step.slice(1))
    .map((step) => (/[.!?:]$/.test(step) ? step : `${step}.`));
}

export const firstStep = (text) => stepsOf(text)[0];

// What is only a name is no command.
const commandsOf = (step) => [
  ...new Set(
    [...step.matchAll(/`([^`]+ [^`]+)`|\b(npm run [\w-]+|docker compose up -d [\w-]+)/g)].map(
      ([, quoted, bare]) => quoted ?? bare,
    ),
  ),
];

const Step = ({ text }) =>
  html`<${Prose} text=${text} />${commandsOf(text).map(
    (command) => html` <${Copy} key=${command} text=${command} what=${command} />`,
  )}`;

export function Fix({ text }) {
  const steps = stepsOf(text);
  if (steps.length === 0) return null;
  if (steps.length === 1) return html`<p class="fix"><b>Do this:</b> <${Step} text=${steps[0]} /></p>`;
  return html`<div class="fix"><p><b>Do this:</b></p>
    <ol>${steps.map((step) => html`<li key=${step}><${Step} text=${step} /></li>`)}</ol></div>`;
}

import { html } from './html.js';
export const Scheduled = () => html`<h1>Scheduled</h1>`;

import { html } from './html.js';
export const Applications = () => html`<h1>Applications</h1>`;

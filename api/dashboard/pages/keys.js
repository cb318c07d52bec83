import { html } from './html.js';
export const Keys = () => html`<h1>Keys</h1>`;

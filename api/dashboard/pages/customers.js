import { html } from './html.js';
export const Customers = () => html`<h1>Customers</h1>`;

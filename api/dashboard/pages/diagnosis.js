import { html } from './html.js';
export const Diagnosis = () => html`<h1>Diagnosis</h1>`;

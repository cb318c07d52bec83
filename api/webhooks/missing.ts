import { Problem } from '../problem.ts';

export const noWebhook = (id: string) => new Problem('not-found', `Webhook ${id} not found.`);

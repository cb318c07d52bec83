// What a person needs to know once everything runs, and the first thing to try.
import { join } from 'node:path';
import type { Plan } from './plan.ts';

/** Prints addresses, the API key, and a curl that makes a customer whose owner is invited by mail. */
export function greet(
  plan: Plan,
  { databaseUrl, folder, isWatching }: { databaseUrl: string; folder: string; isWatching: boolean },
): void {
  const { apiUrl, apiKey, adminPassword, relayAddress, standIn } = plan;
  const customer = {
    name: 'Example Ltd',
    email: 'office@example.com',
    owner: { name: 'Ann', email: 'ann@example.com' },
    sendInvitation: true,
  };
  console.log(`
Postern is running.

  API        ${apiUrl}   (manual: ${apiUrl}/docs)
  API key    ${apiKey}
  Dashboard  ${apiUrl}/   password ${adminPassword}
  Relay      smtp://${relayAddress}
  Database   ${databaseUrl}
  ${
    standIn
      ? `Mail       ${standIn.webUrl}   (no SMTP_HOST is set: a stand-in provider takes the mail and sends nothing)`
      : 'Mail       leaves through your SMTP_HOST'
  }

Try it:

  curl -s ${apiUrl}/api/customers \\
    -H 'Authorization: Bearer ${apiKey}' \\
    -H 'Content-Type: application/json' \\
    -d '${JSON.stringify(customer)}'

${isWatching ? 'A process is restarted when its files change. ' : ''}Ctrl-C stops everything; the next start finds it as it was. The logs are in ${join(folder, 'log')}.
`);
}

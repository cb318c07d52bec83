// What the description says of the API as a whole.

export const tags: Readonly<Record<string, string>> = {
  Customers: 'Customers, their owners and their invitations.',
  Onboarding: 'Applications of future customers, and the decisions of an administrator.',
  Emails: 'Single emails and their status.',
  Scheduling: 'Scheduled emails, and the email-config of a client.',
  Diagnosis: 'Whether mail can be sent, and why not.',
  Templates: 'The texts of invitation and rejection.',
  Webhooks: 'Endpoints to which events are posted, and their deliveries.',
  Suppressions: 'Addresses that are not written to.',
  Keys: 'API keys.',
  People: 'The users of the dashboard, and their roles.',
  Audit: 'Who did what.',
};

export const description = `Postern accepts transactional email over HTTP, stores it and sends it through your provider.

A 201 or a 202 means that the result is committed to the database, including its emails. A mail problem never fails a request.
\`sent\` means that the provider accepted the email. Postern cannot know whether it was delivered.

Errors are \`application/problem+json\` (RFC 9457) of a closed list of types, each explained at \`/problems/TYPE\`.
In a body, \`null\` is the same as leaving the field out.

Send an \`Idempotency-Key\` with a POST: repeats with the same key happen once.

Send a \`traceparent\` (W3C Trace Context) and the timeline of the email and every log line about it carry its trace id,
up to the reply of the provider. Without one, Postern starts a trace.`;

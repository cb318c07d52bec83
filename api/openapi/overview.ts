// What the description says of the API as a whole.

export const tags: Readonly<Record<string, string>> = {
  Customers: 'Customers, their owners and their invitations.',
  Onboarding: 'Applications from the public, and what an administrator makes of them.',
  Emails: 'Single mails and what became of them.',
  Scheduling: 'Mail for later: the email-config of a client and its scheduled mails.',
  Diagnosis: 'Whether mail can leave, and why not.',
  Templates: 'The words of invitation and rejection.',
  Keys: 'API keys.',
};

export const description = `Postern takes transactional mail over HTTP, keeps it safe and hands it to your provider.

A 201 or a 202 means that what you asked for is committed, its mail included; mail never fails a request.
\`sent\` means that the provider took responsibility for a mail: nobody can know more.

Errors are \`application/problem+json\` (RFC 9457) of a closed list of types, each explained at \`/problems/TYPE\`.
In a body, \`null\` is the same as nothing there.

Send an \`Idempotency-Key\` with a POST and repeat it as often as you like: it happens once.

Send a \`traceparent\` (W3C Trace Context) and the mail's timeline and every line of our logs about it bear its trace id,
up to the provider's reply; without one, a trace is begun.`;

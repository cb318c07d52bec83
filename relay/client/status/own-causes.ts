// What Postern itself decides about mail, told to a person as everything else in the catalogue of relay/verdict. It
// stands here, because api and worker decide some of it themselves, also before a relay has ever started.
export type CauseWords = {
  readonly title: string;
  readonly meaning: string;
  readonly fix: string;
};

export const ownCauses = {
  'not-configured': {
    title: 'Mail is kept until a provider is configured',
    meaning:
      'Settings of the provider are missing, blank or wrong. Nothing is lost: the mail is sent as soon as the relay starts with correct settings.',
    fix: 'Set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL for the relay; GET /api/v1/email-status names what is missing.',
  },
  paced: {
    title: 'Your own sending limit is reached',
    meaning:
      'SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY is reached. The last tenth of the limit is reserved for mail with high priority.',
    fix: 'No action is needed: mail is sent when the limit allows it again. Raise SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY if the plan with the provider allows more.',
  },
  'relay-away': {
    title: 'The relay does not answer',
    meaning:
      'This process could not reach the relay at RELAY_HOST and RELAY_PORT. The email is stored and is handed over as soon as the relay is back.',
    fix: 'Start the relay and read its log. If it runs, compare RELAY_HOST, RELAY_PORT, RELAY_USER and RELAY_PASSWORD of api, worker and relay.',
  },
  'relay-refused': {
    title: 'The relay refused this email',
    meaning:
      'The reply of the relay is shown with the email. The usual reasons are a sender that is not allowed, or an email that is too large.',
    fix: 'Correct what the reply names (SMTP_ALLOWED_SENDERS lists who may send, RELAY_MAX_MESSAGE_SIZE how much), then retry the email.',
  },
  'relay-lost': {
    title: 'The relay stopped while it was sending this mail',
    meaning:
      'Its process ended suddenly. Mail whose data was not sent is queued again. Where the data may have been sent, Postern cannot know whether the provider accepted it.',
    fix: 'The log says why the relay ended (memory, a restart, a host that went down). Uncertain mail follows UNCERTAIN_POLICY, or is decided with POST /api/v1/emails/:id/resolve.',
  },
  uncertain: {
    title: 'Sent again, because no final reply came',
    meaning:
      'Fifteen minutes after the data was sent, the same bytes with the same Message-ID were queued again. Recipients may get it twice; most mail programs show only one.',
    fix: 'Nothing. With UNCERTAIN_POLICY=hold, or on_uncertain on the mail, a person decides instead.',
  },
  'uncertain-twice': {
    title: 'No final reply came twice',
    meaning:
      'The mail was sent twice, and both times no final reply came. A third copy is sent only when a person asks for it.',
    fix: "Ask the recipient, or look in the provider's log for the Message-ID; then POST /api/v1/emails/:id/resolve with sent, resend or cancelled.",
  },
  'final-replies-lost': {
    title: 'No final replies on this route',
    meaning:
      'Three emails in a row were sent completely and got no final reply. The route is not used until it has worked for some time.',
    fix: 'Check for a firewall or proxy that closes long or idle connections, and ask the provider with times and Message-IDs. The other port in SMTP_PORT may be spared.',
  },
  'database-restored': {
    title: 'The database was restored or replaced',
    meaning:
      'It was restored from a backup, or a standby took over that did not have every commit. Mail that waits here may have been sent in the meantime, so it is held.',
    fix: 'Compare with the log of the provider, cancel what was already sent, then release the rest (Held in the dashboard, or POST /api/v1/emails/:id/retry).',
  },
  'too-late': {
    title: 'It was too late to send this mail',
    meaning: 'max_lateness had passed before it could be sent.',
    fix: 'Retry it to send it anyway, or use a longer max_lateness next time.',
  },
  'missed-while-paused': {
    title: 'It was due while the form was paused',
    meaning: 'The form was paused when this email was due. It is not sent late.',
    fix: 'Retry it to send it now, or give the entry a new time.',
  },
  configured: {
    title: 'Released: mail is configured now',
    meaning: 'It was held because settings were missing. It is sent with the current settings.',
    fix: 'Nothing.',
  },
  'sender-free': {
    title: 'Released: the provider accepts this sender again',
    meaning: 'It was held with other mail of its sender. A test with one of them succeeded.',
    fix: 'Nothing.',
  },
  'on-request': {
    title: 'Cancelled on request',
    meaning: 'A person or a program cancelled it before it was sent.',
    fix: 'No action is needed. To send it anyway, create it again.',
  },
  resolved: {
    title: 'Decided by a person',
    meaning: 'It was not known whether it had arrived, and a person has decided.',
    fix: 'Nothing.',
  },
  captured: {
    title: 'Not sent, because of DELIVERY_MODE',
    meaning: 'DELIVERY_MODE keeps mail to this address here. The dashboard shows it.',
    fix: 'To send mail, set DELIVERY_MODE=deliver, or add the address to DELIVERY_ALLOWLIST.',
  },
  'address-suppressed': {
    title: 'The address is on the suppression list',
    meaning:
      'Mail to this address is not sent: somebody put it on the list, or an earlier mail showed that it does not exist.',
    fix: 'GET /api/v1/suppressions/{address} says why. If it is a mistake, remove the address there and send the mail again.',
  },
  'no-answer-in-time': {
    title: 'The test took too long',
    meaning: 'No stage has failed yet. The provider is slow, or the email waits behind others.',
    fix: 'Check the stages and try again in a minute. npm run doctor shows what is slow.',
  },
} as const satisfies Readonly<Record<string, CauseWords>>;

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
      'The relay has no provider it can use: settings are missing, blank or wrong. Nothing is lost; the mail leaves by itself as soon as the relay starts with usable settings.',
    fix: 'Set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and SMTP_FROM_EMAIL for the relay; GET /api/v1/email-status names what is missing.',
  },
  paced: {
    title: 'The limit you have set is used up for now',
    meaning:
      'SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY lets no more mail out at the moment. The last tenth is kept for mail that people wait for.',
    fix: 'Nothing: mail leaves as the window moves on. Raise SMTP_MAX_PER_HOUR or SMTP_MAX_PER_DAY if the plan with the provider allows more.',
  },
  'relay-away': {
    title: 'The relay does not answer',
    meaning:
      'This process could not reach the relay at RELAY_HOST and RELAY_PORT. The mail is committed here and is handed over as soon as the relay is back.',
    fix: 'Start the relay and look at its log. If it runs, compare RELAY_HOST, RELAY_PORT, RELAY_USER and RELAY_PASSWORD of api, worker and relay.',
  },
  'relay-refused': {
    title: 'The relay refused to take this mail',
    meaning:
      'Its reply stands beside the mail: mostly a sender that is not allowed, or a mail that is too big.',
    fix: 'Correct what the reply names (SMTP_ALLOWED_SENDERS lists who may send, RELAY_MAX_MESSAGE_SIZE how much), then retry the mail.',
  },
  'relay-lost': {
    title: 'The relay that carried this mail was lost',
    meaning:
      'Its process ended without a word. Mail whose data cannot have left is queued again; where it may have left, nobody can tell whether the provider took it.',
    fix: 'Look in the log why the relay ended (memory, a restart, a host that went down). Uncertain mail follows UNCERTAIN_POLICY, or is decided with POST /api/v1/emails/:id/resolve.',
  },
  uncertain: {
    title: 'Sent once more, because no final reply had come',
    meaning:
      'Fifteen minutes after the data left, the same bytes with the same Message-ID were queued again. Recipients may get it twice; their programs mostly show one.',
    fix: 'Nothing. With UNCERTAIN_POLICY=hold, or on_uncertain on the mail, a person decides instead.',
  },
  'uncertain-twice': {
    title: 'No final reply came twice',
    meaning:
      'The mail was sent, sent again, and both times the answer was lost. A third copy is not sent without a person.',
    fix: "Ask the recipient, or look in the provider's log for the Message-ID; then POST /api/v1/emails/:id/resolve with sent, resend or cancelled.",
  },
  'final-replies-lost': {
    title: 'This route swallows the answers to complete mails',
    meaning:
      'Three mails in a row were sent completely and got no final reply, so the route is not used any more until it has behaved for a while.',
    fix: 'Look for a firewall or proxy that cuts long or idle connections, and ask the provider with times and Message-IDs. The other port in SMTP_PORT may be spared.',
  },
  'database-restored': {
    title: 'The database is another one than before',
    meaning:
      'It was restored from a backup, or a standby took over. What waits in it may have left in the meantime, so all of it is held.',
    fix: "Compare with the provider's log, cancel what has left, then release the rest (Held in the dashboard, or POST /api/v1/emails/:id/retry).",
  },
  'too-late': {
    title: 'It was too late to send this mail',
    meaning: 'max_lateness had passed before it could leave, so nobody wants it any more.',
    fix: 'Retry it to send it all the same, or give it a longer max_lateness the next time.',
  },
  'missed-while-paused': {
    title: 'Its time passed while the form was paused',
    meaning:
      'The scheduled mail was switched off when this one was due, and is on again: it is not sent late.',
    fix: 'Retry it to send it now, or give the entry a new time.',
  },
  configured: {
    title: 'Released, because mail is configured now',
    meaning: 'It had been held for want of settings, and leaves with those the relay has now.',
    fix: 'Nothing.',
  },
  'sender-free': {
    title: 'Released, because the provider takes this sender again',
    meaning: 'It had been held with other mail of its sender; one of them was tried and went through.',
    fix: 'Nothing.',
  },
  'on-request': {
    title: 'Cancelled on request',
    meaning: 'A person or a program cancelled it before it left.',
    fix: 'Nothing. To send it after all, create it again.',
  },
  resolved: {
    title: 'Decided by a person',
    meaning: 'Nobody could tell whether it had arrived, and somebody has decided.',
    fix: 'Nothing.',
  },
  captured: {
    title: 'Kept here on purpose',
    meaning:
      'DELIVERY_MODE keeps mail to this address here: it can be read in the dashboard, and nothing leaves.',
    fix: 'Set DELIVERY_MODE=deliver, or add the address to DELIVERY_ALLOWLIST, where mail is to leave.',
  },
  'no-answer-in-time': {
    title: 'The test took longer than it may',
    meaning: 'No stage has failed yet; the provider is slow, or the mail waits behind others.',
    fix: 'Look at the stages and try again in a minute; npm run doctor shows what is slow.',
  },
} as const satisfies Readonly<Record<string, CauseWords>>;

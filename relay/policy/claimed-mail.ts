// Mail under a lease, as delivery carries it: read from the queue, or handed on from memory by the commit that accepted it.

export type ClaimedRecipient = {
  readonly ordinal: number;
  readonly address: string;
  /** Attempts that have counted so far. */
  readonly attempts: number;
  readonly resends: number;
  /** NOTIFY and ORCPT as the submitter gave them (RFC 3461). */
  readonly notify: string | null;
  readonly orcpt: string | null;
  /** Why its address is not written to; null or missing when it may be. */
  readonly suppression?: string | null;
};

/** One mail for the recipients that are due. Nothing is written about them but under `token`. */
export type ClaimedMail = {
  readonly queueId: string;
  readonly token: string;
  readonly emailId: string | null;
  readonly priority: number;
  readonly sender: string;
  readonly headerFrom: string;
  readonly size: number;
  readonly eightBit: boolean;
  /** Its client said SMTPUTF8, and the header is not ASCII. */
  readonly utf8Header: boolean;
  readonly onUncertain: 'resend' | 'hold' | null;
  /** RET and ENVID as the submitter gave them (RFC 3461). */
  readonly ret: string | null;
  readonly envid: string | null;
  readonly receivedAt: Date;
  /** Seconds since it was accepted, by the database's clock. */
  readonly ageSeconds: number;
  /** max_lateness has passed: nobody wants it any more. */
  readonly tooLate: boolean;
  /** The trace of the request that asked for it, where there was one. */
  readonly traceparent: string | null;
  readonly recipients: readonly ClaimedRecipient[];
  /** Small mails come whole; larger ones are read while they are sent. */
  readonly content: Buffer | null;
};

// What the doctor finds out, as one value: the text for people, the JSON for machines, the relay's heartbeat and the
// test email all speak from it. No secret is in it.
import type { Finding } from '../../deploy/environment.ts';
import type { Stage, Verdict } from '../client/vocabulary.ts';
import type { MailboxExamination } from '../mailbox/examine-mailbox.ts';
import type { Cause } from '../verdict/catalogue.ts';

export type Step = {
  readonly stage: Stage;
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'not reached';
  /** Null where nothing was done. */
  readonly ms: number | null;
  /** One line of what was seen. */
  readonly says: string;
};

/** What a name resolved to, and how long that took. */
export type Addresses = { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };

export type CertificateReport = {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly validFrom: string;
  readonly validTo: string;
  readonly protocol: string | null;
  readonly cipher: string;
  /** Why it cannot be trusted for this host; null when it can. */
  readonly problem: string | null;
};

export type SpeakerKind =
  | 'smtp'
  | 'tls'
  | 'imap'
  | 'pop3'
  | 'ssh'
  | 'http'
  | 'unknown'
  | 'nobody'
  | 'hangs up'
  | 'silence';

/** Who answers on a port that does not answer as it should. */
export type Speaker = { readonly kind: SpeakerKind; readonly said: string };

/** One way to the provider over one address family. */
export type WalkReport = {
  /** `SMTP` or `SMTP2`: the block of variables it comes from. */
  readonly provider: string;
  readonly route: string;
  readonly host: string;
  readonly port: number;
  readonly tlsMode: 'implicit' | 'starttls' | 'none';
  readonly family: 'IPv4' | 'IPv6' | null;
  readonly address: string | null;
  readonly steps: readonly Step[];
  readonly cause: Cause | null;
  readonly certificate: CertificateReport | null;
  /** EHLO keywords: before TLS, and on the connection that is used in the end. */
  readonly capabilities: {
    readonly beforeTls: readonly string[] | null;
    readonly offered: readonly string[] | null;
  };
  readonly speaker: Speaker | null;
  /** What the server or the system said when it failed. */
  readonly reply: string | null;
};

export type ControlReport = {
  readonly what: 'SMTP elsewhere' | 'the web' | "the provider's other port" | 'a known name';
  readonly host: string;
  readonly port: number | null;
  readonly outcome: 'answers' | 'refuses' | 'keeps silent' | 'is not found' | 'cannot be reached';
  readonly ms: number;
};

/** A finding about a variable, with what to do on this platform. */
export type EnvironmentFinding = Omit<Finding, 'cause'> & {
  readonly cause: Cause;
  readonly title: string;
  readonly why: string;
  /** Where to type it here. */
  readonly where: string;
};

/** The cause of it all: the first failing stage of the way that came furthest. */
export type Diagnosis = {
  readonly stage: Stage;
  readonly cause: Cause;
  readonly verdict: Verdict;
  /** The variables to look at first. */
  readonly variables: readonly string[];
  readonly title: string;
  readonly meaning: string;
  readonly fix: string;
  readonly where: string;
  /** The comparison that led to this cause. */
  readonly because: string | null;
  readonly route: string | null;
  readonly reply: string | null;
  readonly facts: readonly string[];
};

export type SignIn = {
  readonly provider: string;
  /** AUTH commands this examination has sent for the credential: one at most, two when a kept access token had ended. */
  readonly attempts: 0 | 1 | 2;
  readonly says: string;
};

export type Examination = {
  /** Mail can leave. */
  readonly ok: boolean;
  readonly at: string;
  readonly ms: number;
  readonly platform: { readonly id: string; readonly name: string };
  /** Null when nothing stands in the way of mail. */
  readonly diagnosis: Diagnosis | null;
  /** By which route mail would leave now. */
  readonly route: string | null;
  readonly findings: readonly EnvironmentFinding[];
  /** What the variables look like: shapes and fingerprints, never secrets. */
  readonly settings: readonly { readonly variable: string; readonly shape: string }[];
  readonly walks: readonly WalkReport[];
  readonly controls: readonly ControlReport[];
  readonly signIns: readonly SignIn[];
  /** Where delivery reports are read; null while none are, and where nobody asked. Mail leaves without it. */
  readonly mailbox: MailboxExamination | null;
  /** What does not stop mail but should be known. */
  readonly notes: readonly string[];
};

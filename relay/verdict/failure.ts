// What went wrong on the way to a provider, as the relay or a person reports it, and what it turned out to mean.
import type { Scope, Stage, Verdict } from '../client/vocabulary.ts';
import type { Cause } from './catalogue.ts';

/** Everything any tool's error object may tell. Nothing is required: a person may paste one sentence. */
export type Symptom = {
  readonly code?: string | number | undefined;
  readonly errno?: string | number | undefined;
  readonly syscall?: string | undefined;
  readonly hostname?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: string | number | undefined;
  readonly command?: string | undefined;
  readonly responseCode?: string | number | undefined;
  readonly enhanced?: string | undefined;
  readonly reply?: string | undefined;
  readonly message?: string | undefined;
  readonly reason?: string | undefined;
};

/** The settings in force, in whatever spelling they came: `host`, `SMTP_HOST`, `auth.user`, `url` … */
export type Settings = Readonly<Record<string, unknown>>;

export type Failure = {
  /** Where in the conversation it happened. Left out, it is derived; the relay always knows and says it. */
  readonly stage?: Stage | undefined;
  readonly symptom: Symptom;
  /**
   * Left out, the settings are taken to be right (the relay has checked them at its start) and another route to
   * exist. Given, they are examined too, and a report that names no route cannot be answered with `failover`.
   */
  readonly config?: Settings | undefined;
  /** A key of the provider catalogue; left out, it is found by `config.host`. */
  readonly provider?: string | undefined;
  readonly platform?: string | undefined;
};

export type Judgement = {
  readonly verdict: Verdict;
  /** How far it reaches; `credential` is the lane: everything sent under that sign-in. */
  readonly scope: Scope;
  readonly cause: Cause;
  readonly stage: Stage;
  /**
   * A stop or a pause that the words do not support: at RCPT or later they name nobody. One mail alone is then no
   * reason to stop a credential; three recipients in a row are.
   */
  readonly isSuspicion?: true;
  /** What the reply asked for, or the longest the named quota window can last. Probing earlier is allowed. */
  readonly retryAfterSeconds?: number;
};

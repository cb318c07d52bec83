// What a question to DNS can be answered with. A name server that fails says nothing about the record: "unknown" is never
// taken for "missing", because an alarm about a record that stands is worse than none.

export type Answer<T> =
  | { readonly kind: 'found'; readonly records: readonly T[] }
  /** `nameExists` is false for NXDOMAIN: then nothing stands below the name either (RFC 8020). */
  | { readonly kind: 'absent'; readonly nameExists: boolean }
  | { readonly kind: 'unknown'; readonly why: string };

export type MailExchanger = { readonly exchange: string; readonly preference: number };

/** The questions of one examination. A name is asked once; later questions get the same answer. */
export type Lookup = {
  /** Each record as one text: its strings are joined without a space (RFC 7208 section 3.3). */
  txt(name: string): Promise<Answer<string>>;
  mx(name: string): Promise<Answer<MailExchanger>>;
  /** A and AAAA together. */
  addresses(name: string): Promise<Answer<string>>;
  cname(name: string): Promise<Answer<string>>;
  ns(name: string): Promise<Answer<string>>;
};

export const recordsOf = <T>(answer: Answer<T>): readonly T[] =>
  answer.kind === 'found' ? answer.records : [];

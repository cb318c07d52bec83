// A Coolify template as its linter sees it: the text, because the header is comments, and the services.
import { parseDocument } from 'yaml';
import { environmentOf } from './emulate.ts';

export type Fault = { readonly rule: string; readonly problem: string };

export type Service = {
  readonly name: string;
  /** As written: whatever Compose knows. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | null>>;
  /** Runs our own image, whose variables are those of the environment contract. */
  readonly isOurs: boolean;
  readonly isOneShot: boolean;
};

export type Template = {
  readonly text: string;
  readonly lines: readonly string[];
  readonly top: Readonly<Record<string, unknown>>;
  readonly services: readonly Service[];
};

/** Reads a template; what YAML itself forbids, or Coolify's parser cannot read, comes back as faults. */
export function readTemplate(text: string): { template?: Template; faults: Fault[] } {
  // Coolify reads with Symfony and writes it anew: no duplicate keys, no tags of Compose.
  const document = parseDocument(text, { merge: true, uniqueKeys: true, version: '1.2' });
  const faults = [...document.errors, ...document.warnings].map(({ message }) => ({
    rule: 'yaml',
    problem: message.split('\n', 1)[0] ?? '',
  }));
  if (faults.length > 0) return { faults };

  const top = (document.toJS() ?? {}) as Record<string, unknown>;
  const services = Object.entries((top.services ?? {}) as Record<string, Record<string, unknown>>).map(
    ([name, written]): Service => ({
      name,
      written,
      environment: environmentOf(written.environment),
      isOurs: /^postern\/postern:/.test(String(written.image)),
      isOneShot: written.restart === 'no',
    }),
  );
  return { template: { text, lines: text.split('\n'), top, services }, faults };
}

/** Every text in a value, however deep: where a `${…}` may hide. */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(textsIn);
}

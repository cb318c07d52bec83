// Servers sometimes repeat what they were told. Nothing the doctor says may hold a secret, whoever said it first.

/** Shorter ones would black out half of the report, and are no secrets. */
const shortest = 4;

/** Returns a copy of `value` in which no string holds any of the secrets, plain or as AUTH would encode it. */
export function redact<T>(value: T, secrets: readonly string[]): T {
  const forms = secrets
    .filter((secret) => secret.length >= shortest)
    .flatMap((secret) => [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)])
    .sort((a, b) => b.length - a.length);
  const clean = (text: string) => forms.reduce((rest, form) => rest.replaceAll(form, '***'), text);
  const visit = (each: unknown): unknown => {
    if (typeof each === 'string') return clean(each);
    if (Array.isArray(each)) return each.map(visit);
    if (typeof each === 'object' && each !== null && !(each instanceof Date)) {
      return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, visit(inner)]));
    }
    return each;
  };
  return visit(value) as T;
}

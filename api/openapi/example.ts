// An example of what a schema describes, so that every answer in the description has one that is valid and reads like
// the real thing, without anybody having to write it again when the schema changes.

type Schema = {
  readonly $ref?: string;
  /** Several where null is one of them. */
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
};

/** What members of these names usually hold; of several the first that the schema allows. */
const usual: Readonly<Record<string, readonly unknown[]>> = {
  activated_at: [null],
  address: ['ann@example.com'],
  allowed_senders: [['*@example.com']],
  archived_at: [null],
  bcc: [[]],
  because: [null],
  cause: [null],
  cc: [[]],
  client_id: [null],
  company: ['Example Bakery'],
  configured: [true],
  contact_name: ['Ann Example'],
  customer_id: [null],
  deactivated_at: [null],
  delivery_mode: ['deliver'],
  detail: ['is required'],
  email: ['ann@example.com'],
  ending: ['k3Qz'],
  enhanced_code: ['2.0.0'],
  erased_at: [null],
  expires_at: ['2026-03-08T09:00:00.000Z'],
  fix: [null],
  from: ['hello@example.com'],
  has_more: [false],
  headers: [[]],
  host: ['smtp.example.com'],
  html: ['<p>Thank you for your order.</p>'],
  index: [0],
  key: [null],
  kind: ['single'],
  lanes: [[]],
  lateness_ms: [40],
  local_datetime: [null],
  max_lateness: [null],
  max_message_size: [26_214_400],
  meaning: [null],
  message: ['We send 500 receipts a day.'],
  message_id: ['<0197e4a6-0000-7000-8000-000000000000@example.com>'],
  missing: [[]],
  ms: [12],
  name: ['Ann Example'],
  next: [null],
  next_attempt_at: [null],
  note: [null],
  notes: [[]],
  ok: [true],
  on_uncertain: [null],
  phone: ['+44 20 7946 0000'],
  pointer: ['#/to'],
  port: [465],
  problems: [[]],
  provider_queue_id: ['9D2F1'],
  queue_id: ['4XkQ2bFh'],
  reason: [null],
  reason_detail: [null],
  recipient: ['ann@example.com'],
  reply: ['250 2.0.0 OK: queued as 9D2F1'],
  reply_code: [250],
  reply_to: [[]],
  revision: [1],
  revoked_at: [null],
  route: ['smtp.example.com:465'],
  routes: [[]],
  running: [true],
  scopes: [['send']],
  secret: ['postern_EXAMPLE'],
  set_on_api: [[]],
  stage: ['accepted', null],
  status: ['sent', 'invited', 'submitted'],
  subject: ['Your receipt'],
  tags: [[]],
  text: ['Thank you for your order.'],
  time_zone: [null],
  title: [null],
  trace_id: ['4bf92f3577b34da6a3ce929d0e0e4736'],
  type: ['sent'],
  variables: [[]],
  waiting_for: [null],
  walks: [[]],
  website: ['https://bakery.example.com'],
  where: [null],
};

const formats: Readonly<Record<string, string>> = {
  uuid: '0197e4a6-0000-7000-8000-000000000000',
  'date-time': '2026-03-01T09:00:00.000Z',
  email: 'ann@example.com',
};

const typesOf = ({ type = [] }: Schema) => (typeof type === 'string' ? [type] : type);

/** @param schemas the components that a `$ref` may name */
export function exampleOf(schema: Schema, schemas: Readonly<Record<string, unknown>>, name = ''): unknown {
  const resolve = ({ $ref }: Schema) => schemas[$ref?.split('/').at(-1) ?? ''] as Schema;
  const fits = (each: Schema, value: unknown): boolean => {
    if (each.$ref !== undefined) return fits(resolve(each), value);
    if (each.anyOf) return each.anyOf.some((one) => fits(one, value));
    if (each.const !== undefined) return each.const === value;
    if (each.enum) return each.enum.includes(value);
    const types = typesOf(each);
    if (Array.isArray(value)) return types.includes('array');
    if (Number.isInteger(value) && types.includes('integer')) return true;
    return types.includes(value === null ? 'null' : typeof value);
  };
  const invent = (each: Schema, member: string): unknown => {
    if (each.$ref !== undefined) return invent(resolve(each), member);
    const known = usual[member]?.find((value) => fits(each, value));
    if (known !== undefined) return known;
    if (each.anyOf) return invent(each.anyOf[0] ?? {}, member);
    if (each.examples) return each.examples[0];
    if (each.const !== undefined) return each.const;
    if (each.enum) return each.enum[0];
    switch (typesOf(each)[0]) {
      case 'object':
        return Object.fromEntries(
          Object.entries(each.properties ?? {})
            .filter(([key]) => each.required?.includes(key) || usual[key])
            .map(([key, value]) => [key, invent(value, key)]),
        );
      case 'array':
        return [invent(each.items ?? {}, member)];
      case 'integer':
      case 'number':
        return Math.max(1, each.minimum ?? 1);
      case 'boolean':
        return false;
      case 'null':
        return null;
      default:
        return formats[each.format ?? ''] ?? 'text';
    }
  };
  return invent(schema, name);
}

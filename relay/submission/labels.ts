// X-Postern-Tag and X-Postern-Stream: what a submitter says of a mail for itself. Like all X-Postern-… fields they stay
// behind. Pure.
import { mostTags, type Tag, tagWord, tagWordRule } from '../client/email/tag.ts';
import { bodyOf, type Field } from './header.ts';
import { type Refusal, refuse } from './refusal.ts';

export type Labels = { readonly tags: readonly Tag[]; readonly stream: string | undefined };

const none: Labels = { tags: [], stream: undefined };

export function readLabels(bytes: Buffer, fields: readonly Field[]): Labels | Refusal {
  const named = fields.filter(({ name }) => name === 'x-postern-tag' || name === 'x-postern-stream');
  // Most mail has none.
  if (named.length === 0) return none;
  const bodies = (of: string) => named.filter(({ name }) => name === of).map((field) => bodyOf(bytes, field));
  const streams = bodies('x-postern-stream');
  const tags = bodies('x-postern-tag').map(readTag);
  const fault = faultOf(tags) ?? faultOfStreams(streams);
  return fault === undefined ? { tags, stream: streams[0] } : refuse(554, '5.6.0', fault);
}

function readTag(body: string): Tag {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(body) ?? [];
  return { name: name.trim(), value: value.trim() };
}

function faultOf(tags: readonly Tag[]): string | undefined {
  if (tags.length > mostTags) return `There are more than ${mostTags} X-Postern-Tag fields`;
  if (tags.some(({ name, value }) => !tagWord.test(name) || !tagWord.test(value))) {
    return `X-Postern-Tag must be NAME=VALUE; each ${tagWordRule}`;
  }
  const double = tags.find(({ name }, index) => tags.findIndex((each) => each.name === name) < index);
  return double && `X-Postern-Tag names ${double.name} twice`;
}

const faultOfStreams = (streams: readonly string[]) =>
  streams.length > 1 || streams.some((stream) => !tagWord.test(stream))
    ? `X-Postern-Stream ${tagWordRule}, once`
    : undefined;

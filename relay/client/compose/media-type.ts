// Media types with their parameters (RFC 2045 section 5.1), read strictly and written again.
import { quote, unquote } from '../address/address.ts';
import { asciiField, asOldFilename } from './header.ts';

export type MediaType = {
  /** `text/calendar`, in lower case. */
  readonly type: string;
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
};

// RFC 6838 section 4.2.
const typeShape = /^[a-z0-9][\w!#$&^.+-]{0,126}\/[a-z0-9][\w!#$&^.+-]{0,126}/i;
const parameterShape = /[ \t]*;[ \t]*([^\s"(),/:;<=>?@[\\\]]+)=([^\s"(),/:;<=>?@[\\\]]+|"(?:[^"\\]|\\.)*")/y;

/** Reads `text/calendar; method=REQUEST`; what is wrong is said as the rest of a sentence. */
export function readMediaType(text: string): MediaType | { readonly fault: string } {
  const example = 'such as application/pdf, or text/plain; charset=utf-8';
  if (!/^[\x20-\x7e\t]*$/.test(text)) return { fault: `must be a media type in ASCII, ${example}` };
  const type = typeShape.exec(text)?.[0];
  if (type === undefined) return { fault: `must be a media type ${example}` };
  const parameters: { name: string; value: string }[] = [];
  for (let at = type.length; at < text.length; at = parameterShape.lastIndex) {
    parameterShape.lastIndex = at;
    const [, name, value] = parameterShape.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      return { fault: `must be a media type with parameters ${example}; not ${text.slice(at)}` };
    }
    if (parameters.some((each) => each.name.toLowerCase() === name.toLowerCase())) {
      return { fault: `must not have the parameter ${name} twice` };
    }
    parameters.push({ name, value: value.startsWith('"') ? unquote(value) : value });
  }
  return { type: type.toLowerCase(), parameters };
}

export const parameterOf = ({ parameters }: MediaType, name: string): string | undefined =>
  parameters.find((each) => each.name.toLowerCase() === name)?.value;

/** The Content-Type field of an attachment. The file's name replaces one that stood in the media type. */
export function contentTypeField({ type, parameters }: MediaType, filename?: string): string {
  const kept = parameters.filter(({ name }) => filename === undefined || !/^name\b/i.test(name));
  const written = kept.map(({ name, value }) => `${name}=${isToken(value) ? value : quote(value)}`);
  if (filename !== undefined) written.push(`name=${asOldFilename(filename)}`);
  return asciiField('Content-Type', [type, ...written].join('; '));
}

const isToken = (value: string) => /^[^\s"(),/:;<=>?@[\\\]]+$/.test(value);

/**
 * Why an attachment of this type would make a part that nobody can read, as the rest of a sentence. Attachments travel
 * in base64, and parts that hold parts or messages must not (RFC 2045 section 6.4, RFC 2046 section 5).
 */
export function faultOfAttachment({ type }: MediaType, content: Buffer): string | undefined {
  const asFile = 'application/octet-stream would be accepted';
  if (type.startsWith('multipart/')) return `must not be ${type}, which holds other parts; ${asFile}`;
  if (type === 'message/rfc822') {
    return isPlainMessage(content)
      ? undefined
      : `may be message/rfc822 only for a message in ASCII with lines of at most 998 characters; ${asFile}`;
  }
  // RFC 2046 section 5.2 and those that came later: each tells mail programs to do something.
  return type.startsWith('message/') ? `must not be ${type}, which no file is; ${asFile}` : undefined;
}

// A field name and its colon, then lines that may travel unencoded (RFC 2045 section 2.7).
function isPlainMessage(content: Buffer): boolean {
  const text = content.toString('latin1');
  return (
    /^[\x21-\x39\x3b-\x7e]+[ \t]*:/.test(text) &&
    !/[\0\x80-\xff]/.test(text) &&
    !/\r(?!\n)/.test(text) &&
    !/[^\r\n]{999}/.test(text)
  );
}

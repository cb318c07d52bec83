// A real name server on loopback, over UDP and TCP, that holds the zones of a test and misbehaves where it is told to.
import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, createServer, type Server } from 'node:net';
import dnsPacket, { type Answer, type Packet } from 'dns-packet';

/**
 * Lines of `NAME TYPE VALUE`; `;` begins a comment. A TXT value is one or more quoted strings, an MX value
 * `PREFERENCE NAME`. Instead of a type, a fault of the name server for every question about this name:
 * `SERVFAIL`, `REFUSED`, `SILENT` (no answer) or `CUT` (too large for UDP, and TCP is not answered).
 */
export type Zones = string;

export type DnsServer = AsyncDisposable & {
  /** As a resolver is named: `127.0.0.1:PORT`. */
  readonly address: string;
  /** `TYPE NAME` of each question, in order. */
  readonly questions: readonly string[];
};

type Fault = 'SERVFAIL' | 'REFUSED' | 'SILENT' | 'CUT';
type Entry = { readonly name: string; readonly answer?: Answer; readonly fault?: Fault };

const faults: readonly string[] = ['SERVFAIL', 'REFUSED', 'SILENT', 'CUT'];
const codes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const largestDatagram = 512;

export async function startDns(zones: Zones): Promise<DnsServer> {
  const entries = readZones(zones);
  const questions: string[] = [];
  const udp = createSocket('udp4');
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return;
      const reply = respond(dnsPacket.streamDecode(received), entries, 'tcp');
      if (reply) socket.end(dnsPacket.streamEncode(reply));
      else socket.destroy();
    });
  });
  const port = await bindBoth(udp, tcp);
  udp.on('message', (data, from) => {
    const asked = dnsPacket.decode(data);
    for (const { type, name } of asked.questions ?? []) questions.push(`${type} ${name.toLowerCase()}`);
    const reply = respond(asked, entries, 'udp');
    if (reply) udp.send(dnsPacket.encode(reply), from.port, from.address);
  });
  return {
    address: `127.0.0.1:${port}`,
    questions,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

/** The same port for both; where another program has it for TCP, the next one. */
async function bindBoth(udp: Socket, tcp: Server): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const { port } = tcp.address() as AddressInfo;
    try {
      await new Promise<void>((resolve, reject) =>
        udp.once('error', reject).bind(port, '127.0.0.1', resolve),
      );
      return port;
    } catch (error) {
      if (attempt === 10) throw error;
      await new Promise((resolve) => tcp.close(resolve));
    }
  }
}

function respond(asked: Packet, entries: readonly Entry[], over: 'udp' | 'tcp'): Packet | undefined {
  const [question] = asked.questions ?? [];
  if (!question) return undefined;
  const name = question.name.toLowerCase();
  const fault = entries.find((entry) => entry.fault && matches(entry.name, name))?.fault;
  if (fault === 'SILENT' || (fault === 'CUT' && over === 'tcp')) return undefined;
  const answers = fault ? [] : answersTo(name, question.type, entries);
  const exists = entries.some((entry) => entry.name === name || entry.name.endsWith(`.${name}`));
  const code =
    fault === 'SERVFAIL' || fault === 'REFUSED'
      ? codes[fault]
      : answers.length > 0 || exists
        ? codes.NOERROR
        : codes.NXDOMAIN;
  const flags = dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_AVAILABLE | code;
  const whole: Packet = { type: 'response', id: asked.id, questions: asked.questions, flags, answers };
  const isCut = over === 'udp' && (fault === 'CUT' || dnsPacket.encodingLength(whole) > largestDatagram);
  return isCut ? { ...whole, flags: flags | dnsPacket.TRUNCATED_RESPONSE, answers: [] } : whole;
}

/** Follows CNAMEs, as a resolver does for who asks it. */
function answersTo(name: string, type: string, entries: readonly Entry[], depth = 0): Answer[] {
  const own = entries.filter((entry) => matches(entry.name, name)).flatMap(({ answer }) => answer ?? []);
  const wanted = own.filter((answer) => answer.type === type);
  if (wanted.length > 0) return wanted.map((answer) => ({ ...answer, name }));
  const alias = own.find((answer) => answer.type === 'CNAME');
  if (alias?.type !== 'CNAME' || depth > 8) return [];
  return [{ ...alias, name }, ...answersTo(alias.data.toLowerCase(), type, entries, depth + 1)];
}

const matches = (zoneName: string, name: string) =>
  zoneName === name || (zoneName.startsWith('*.') && name.endsWith(zoneName.slice(1)));

function readZones(zones: Zones): Entry[] {
  return zones
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map(readLine);
}

function readLine(line: string): Entry {
  const [, name = '', type = '', value = ''] = /^(\S+)\s+(\S+)\s*(.*)$/.exec(line) ?? [];
  const lower = name.toLowerCase();
  if (faults.includes(type)) return { name: lower, fault: type as Fault };
  switch (type) {
    case 'TXT':
      return { name: lower, answer: { type, name: lower, ttl: 60, data: stringsOf(value, line) } };
    case 'MX': {
      const [preference, exchange = ''] = value.split(/\s+/);
      const data = { preference: Number(preference), exchange: exchange === '.' ? '' : exchange };
      return { name: lower, answer: { type, name: lower, ttl: 60, data } };
    }
    case 'A':
    case 'AAAA':
    case 'CNAME':
    case 'NS':
      return { name: lower, answer: { type, name: lower, ttl: 60, data: value } };
    default:
      throw new Error(`not a line of a zone: ${line}`);
  }
}

function stringsOf(value: string, line: string): string[] {
  const strings = [...value.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, text = '']) =>
    text.replaceAll(/\\(.)/g, '$1'),
  );
  if (strings.length === 0) throw new Error(`a TXT value is quoted: ${line}`);
  // One string holds 255 octets (RFC 1035 section 3.3.14); longer ones are divided, as good panels do.
  return strings.flatMap((text) => text.match(/.{1,255}/g) ?? ['']);
}

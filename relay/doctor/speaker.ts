// Who is there? Asked on a connection of its own when a port does not answer as it should.
import type { Socket } from 'node:net';
import { tidy } from '../smtp/reply.ts';
import { type Handshake, startTls } from './certificate.ts';
import type { Speaker, SpeakerKind } from './examination.ts';
import { reach } from './reach.ts';

const listenMs = 1_500;

/**
 * Listens without a word, then offers TLS, then says EHLO: the order in which the least is given away. Never rejects.
 *
 * @param tls what TLS is offered with
 */
export async function whoIsThere(
  address: string,
  port: number,
  tls: Parameters<typeof startTls>[1],
  signal: AbortSignal,
): Promise<Speaker> {
  try {
    const banner = await ear(await reach(address, port, signal), '', signal);
    if (banner.said !== '') return { kind: kindOf(banner.said), said: banner.said };
    const secured = await offerTls(address, port, tls, signal);
    if (secured) {
      const inside = await ear(secured.socket, '', signal);
      const kind = inside.said === '' ? 'tls' : kindOf(inside.said);
      return { kind: kind === 'smtp' || kind === 'unknown' ? 'tls' : kind, said: inside.said };
    }
    const answer = await ear(await reach(address, port, signal), 'EHLO localhost\r\n\r\n', signal);
    if (answer.said !== '') return { kind: kindOf(answer.said), said: answer.said };
    return { kind: banner.ended || answer.ended ? 'hangs up' : 'silence', said: '' };
  } catch {
    return { kind: 'nobody', said: '' };
  }
}

/** Which protocol opens like this. */
export function kindOf(said: string): SpeakerKind {
  if (/^\d{3}[ -]/.test(said)) return 'smtp';
  if (/^\* (?:ok|preauth|bye)\b/i.test(said)) return 'imap';
  if (/^(?:\+ok|-err)\b/i.test(said)) return 'pop3';
  if (/^ssh-\d/i.test(said)) return 'ssh';
  if (/^http\/\d|<html|<!doctype/i.test(said)) return 'http';
  return 'unknown';
}

async function offerTls(
  address: string,
  port: number,
  tls: Parameters<typeof startTls>[1],
  signal: AbortSignal,
): Promise<Handshake | undefined> {
  try {
    return await startTls(
      await reach(address, port, signal),
      tls,
      AbortSignal.any([signal, AbortSignal.timeout(listenMs)]),
    );
  } catch {
    return undefined;
  }
}

/** Says `words` and listens for a moment; the connection is over afterwards. */
function ear(socket: Socket, words: string, signal: AbortSignal): Promise<{ said: string; ended: boolean }> {
  return new Promise((resolve) => {
    let said = '';
    const end = (ended: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', silent);
      socket.destroy();
      resolve({ said: tidy(said), ended });
    };
    const silent = () => end(false);
    const timer = setTimeout(silent, listenMs);
    signal.addEventListener('abort', silent);
    socket
      .on('data', (chunk: Buffer) => {
        said += chunk.toString('latin1');
        if (said.includes('\n') || said.length > 512) end(false);
      })
      .on('error', () => end(true))
      .on('close', () => end(true))
      .on('end', () => end(true));
    if (words !== '') socket.write(words);
  });
}

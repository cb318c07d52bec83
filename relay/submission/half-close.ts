// What we change about smtp-server for clients that end their sending side before they have heard all replies, as Exim
// does behind its last QUIT (RFC 9293 section 3.6, the half-closed connection). Every reply that is due goes out, then
// the connection ends.
import { DsnConnection } from './dsn-connection.ts';

type Reply = Parameters<DsnConnection['send']>;

export class HalfCloseConnection extends DsnConnection {
  override init(): void {
    this.socket.allowHalfOpen = true;
    super.init();
  }

  protected override onLastCommand(): void {
    this.#endWhenAnswered();
  }

  // A last line without its line end is a command to the library, and has no callback: nothing is to come behind it.
  protected override onCommand(command: Buffer, callback: () => void = () => this.#endWhenAnswered()): void {
    super.onCommand(command, callback);
  }

  // In the middle of the handshake no reply is due. The TLS socket takes the property over from the one below.
  override upgrade(callback: () => void, secured?: () => void): void {
    this.socket.allowHalfOpen = false;
    super.upgrade(callback, () => {
      this.socket.allowHalfOpen = true;
      secured?.();
    });
  }

  // The library writes to sockets only that are open on both sides.
  override send(...[code, text, context]: Reply): void {
    if (!this.isInHandshake && this.socket.readyState === 'writeOnly') {
      const enhanced = this.enhancedCode(code, context);
      this.socket.write(replyOf(code, enhanced, Array.isArray(text) ? text : [text ?? '']));
    }
    super.send(code, text, context);
  }

  #endWhenAnswered(): void {
    if (this.isEnding || this.isAnswering) return;
    if (this.isInData) {
      // Closing destroys the stream; whoever reads it gives its memory back.
      HalfCloseConnection.prototype.send.call(
        this,
        421,
        '4.4.2 The message ended without its final dot',
        false,
      );
      return;
    }
    this.close();
  }
}

/** RFC 5321 section 4.2.1: every line of a reply has the code. */
function replyOf(code: number, enhanced: string, lines: readonly string[]): string {
  return lines
    .map((line, at) => {
      const separator = at < lines.length - 1 ? '-' : ' ';
      const words = [enhanced, line.replace(control, ' ')].filter((word) => word !== '').join(' ');
      return `${code}${separator}${words}\r\n`;
    })
    .join('');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: one would divide the reply
const control = /[\u0000-\u001f\u007f]/g;

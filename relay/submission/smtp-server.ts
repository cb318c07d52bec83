// The one place that touches what smtp-server keeps to itself: its fields and methods with an underscore, and its
// handlers of commands. Everything else here uses the names of this file. test/relay/submission/smtp-server-3.21.6.test.ts
// checks that each of them is still there, and still does what is needed of it.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';

export type ConnectionOptions = SMTPConnectionOptions | null | undefined;

/** The library keeps this object in the envelope of the session. */
export type ParsedAddress = ReturnType<SMTPConnection['_parseAddressCommand']>;

/** A server with connections of a class of ours. */
export abstract class Server extends SMTPServer {
  protected abstract newConnection(socket: Socket | TLSSocket, options: ConnectionOptions): Connection;

  override connect(socket: Socket | TLSSocket, options?: ConnectionOptions): void {
    const connection = this.newConnection(socket, options);
    this.connections.add(connection);
    connection.on('error', (error) => this._onError(error));
    connection.on('connect', (client) => this._onClientConnect(client));
    connection.init();
  }
}

export class Connection extends SMTPConnection {
  protected get socket(): Socket | TLSSocket {
    return this._socket;
  }

  /** In the middle of the handshake that STARTTLS began. */
  protected get isInHandshake(): boolean {
    return this._upgrading;
  }

  /** Whether what comes next is part of AUTH, and no command. */
  protected get isInAuth(): boolean {
    return Boolean(this._nextHandler);
  }

  /** Whether a message is being read. */
  protected get isInData(): boolean {
    return Boolean(this._dataStream);
  }

  /** Whether a command still waits for its reply. */
  protected get isAnswering(): boolean {
    return this._handlerPending;
  }

  protected get isEnding(): boolean {
    return this._closing || this._closed;
  }

  protected isDisabled(command: string): boolean {
    return this._isDisabled(command);
  }

  /** The enhanced status code (RFC 3463) that the library would write; '' where it would write none. */
  protected enhancedCode(code: number, context?: string | false): string {
    return this._getEnhancedStatusCode(code, context);
  }

  /** @param callback to be called once the command is answered; missing for a last line without its line end */
  protected onCommand(command: Buffer, callback?: () => void): void {
    super._onCommand(command, callback);
  }

  protected onMail(command: Buffer, callback: () => void): void {
    super.handler_MAIL(command, callback);
  }

  protected onRcpt(command: Buffer, callback: () => void): void {
    super.handler_RCPT(command, callback);
  }

  /** @param name `mail from` or `rcpt to` */
  protected parseAddress(name: string, command: Buffer | string): ParsedAddress {
    return super._parseAddressCommand(name, command);
  }

  /** The client has ended its side, behind all commands that it still has to be answered. */
  protected onLastCommand(): void {}

  override _onCommand(command: Buffer, callback?: () => void): void {
    this.onCommand(command, callback);
  }

  override handler_MAIL(command: Buffer, callback: () => void): void {
    this.onMail(command, callback);
  }

  override handler_RCPT(command: Buffer, callback: () => void): void {
    this.onRcpt(command, callback);
  }

  override _parseAddressCommand(name: string, command: Buffer | string): ParsedAddress {
    return this.parseAddress(name, command);
  }

  // Called by the constructor of the library, when nothing of ours is there yet.
  override _createParser(): ReturnType<SMTPConnection['_createParser']> {
    const parser = super._createParser();
    parser.on('finish', () => this.onLastCommand());
    return parser;
  }
}

// Sending what an operation answered: JSON, or a stream of server-sent events.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { Log } from '../deploy/log.ts';
import { problemOf } from './error-answer.ts';
import { startEvents, writeEvent } from './event-stream.ts';
import type { Answer } from './operation.ts';
import { problemDocument } from './problem.ts';
import type { RequestLocals } from './request-log.ts';

export const toJson = (body: unknown): string | null => (body === undefined ? null : JSON.stringify(body));

export function send(response: Response, answer: Answer, json = toJson(answer.body)): void {
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.set(name, value);
  sendJson(response, answer.status, json);
}

export function sendJson(response: Response, status: number, json: string | null): void {
  // A handler that streamed its answer has nothing left to send.
  if (response.headersSent) return;
  response.status(status).set('cache-control', 'no-store');
  if (json === null) response.end();
  else response.set('content-type', 'application/json; charset=utf-8').end(json);
}

/** Sends text piece by piece, as fast as it is read. What fails on the way breaks the connection: half of it is no whole. */
export async function sendText(response: Response, { text, headers }: Answer, log: Log): Promise<void> {
  if (!text) return;
  for (const [name, value] of Object.entries(headers ?? {})) response.set(name, value);
  response.status(200).set({ 'cache-control': 'no-store', 'content-type': `${text.type}; charset=utf-8` });
  await pipeline(Readable.from(text.chunks), response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') log.warn({ err: error }, 'An answer broke off');
  });
}

/** Sends the events one by one; a problem thrown on the way is the last of them. */
export async function sendEvents(
  response: Response,
  events: NonNullable<Answer['events']>,
  log: Log,
): Promise<void> {
  startEvents(response, { cacheControl: 'no-store' });
  const write = (event: string, data: unknown) => writeEvent(response, event, JSON.stringify(data));
  try {
    for await (const { event, data } of events) write(event, data);
  } catch (error) {
    const local = response.locals as RequestLocals;
    write('problem', problemDocument(problemOf(error, log, local), local.requestId));
  }
  response.end();
}

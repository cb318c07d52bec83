// Sending what an operation answered: JSON, or a stream of server-sent events.
import type { Response } from 'express';
import type { Log } from '../deploy/log.ts';
import { problemOf } from './error-answer.ts';
import type { Answer } from './operation.ts';
import { problemDocument } from './problem.ts';
import type { Local } from './request-log.ts';

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

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
export async function stream(
  response: Response,
  events: NonNullable<Answer['events']>,
  log: Log,
): Promise<void> {
  response.status(200).set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would collect the events otherwise.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
  const tell = (event: string, data: unknown) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  try {
    for await (const { event, data } of events) tell(event, data);
  } catch (error) {
    const local = response.locals as Local;
    tell('problem', problemDocument(problemOf(error, log, local), local.requestId));
  }
  response.end();
}

// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
import type { Response } from 'express';

/** Begins an answer that is a stream of events. */
export function startEvents(response: Response, { cacheControl }: { cacheControl: string }): void {
  response.status(200).set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': cacheControl,
    // nginx, and what is built on it, would keep the events until a buffer is full.
    'x-accel-buffering': 'no',
  });
  response.flushHeaders();
}

/** @param json one line */
export function writeEvent(response: Response, event: string, json: string): void {
  response.write(`event: ${event}\ndata: ${json}\n\n`);
}

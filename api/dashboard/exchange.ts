// How the routes of the dashboard read a request and answer it.
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { readParts } from '../faults.ts';

/** Throws `invalid-fields`. */
export function readInput<Schema extends z.ZodType>(
  request: Request,
  place: 'query' | 'body',
  schema: Schema,
): z.output<Schema> {
  const value: unknown = place === 'query' ? { ...request.query } : (request.body ?? {});
  return readParts([{ in: place, schema, value }])[0] as z.output<Schema>;
}

export function sendJson(response: Response, body: unknown): void {
  response.set('cache-control', 'no-store').json(body);
}

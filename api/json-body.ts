// Reading the body of an operation: which types are taken, and how much memory it may hold.
import type { Request, Response } from 'express';
import { type Budget, openBudget, roomForBodies } from '../deploy/budget.ts';
import { copiesOfBody, readBody, readText } from './body/read.ts';
import type { Operation } from './operation.ts';
import { Problem } from './problem.ts';

const defaultBodyLimit = 64 * 1024;

/** As much memory as this process has for the bodies of requests. */
export const bodyBudget = (operations: readonly Operation[]): Budget =>
  openBudget(roomForBodies(largestBodyOf(operations) * copiesOfBody));

const largestBodyOf = (operations: readonly Operation[]) =>
  Math.max(...operations.map(({ bodyLimit = defaultBodyLimit }) => bodyLimit));

/** Reads the body of an operation. What it holds of memory is given back when the answer is out or the client gone. */
export function jsonBody(
  { bodyLimit = defaultBodyLimit, takesFiles = false, takesOctets = false, textBody }: Operation,
  budget: Budget,
): (request: Request, response: Response) => Promise<void> {
  return async (request, response) => {
    const isEmpty =
      request.get('transfer-encoding') === undefined && !(Number(request.get('content-length')) > 0);
    // An operation whose fields are all optional may be called without a body.
    request.body = textBody ? '' : {};
    if (isEmpty) return;
    const type = request.get('content-type');
    if (textBody ? !type?.toLowerCase().startsWith(textBody) : !isJson(request)) {
      throw new Problem(
        'unsupported-media-type',
        `Send ${textBody ?? 'application/json'}${type ? `, not ${type.slice(0, 100)}` : ': the Content-Type is missing'}.`,
      );
    }
    if (!/^[^;]*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type ?? ''))
      throw new Problem('unsupported-media-type', 'Send the body in UTF-8.');
    const body = textBody
      ? await readText(request, bodyLimit, budget)
      : await readBody(
          request,
          { limit: bodyLimit, takes: { files: takesFiles, octets: takesOctets } },
          budget,
        );
    response.once('close', () => body[Symbol.dispose]());
    if (response.closed) body[Symbol.dispose]();
    request.body = body.value;
  };
}

const isJson = (request: { headers: Record<string, string | string[] | undefined> }) =>
  /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(String(request.headers['content-type'] ?? ''));

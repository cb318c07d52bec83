// Every answer that any test of the API gets is held against what its operation declares.

import { problemTypesOf } from '../../api/openapi/problems.ts';
import type { Operation } from '../../api/operation.ts';
import { problemTypes } from '../../api/problem.ts';

type Answered = { readonly status: number; readonly body: unknown; readonly headers: Headers };

/** Throws when the answer is not one that OpenAPI declares for the operation at this address. */
export function expectDeclared(
  operations: readonly Operation[],
  method: string,
  path: string,
  { status, body, headers }: Answered,
): void {
  const operation = operations.find(
    (each) => each.method.toUpperCase() === method && patternOf(each.path).test(path.split('?')[0] ?? ''),
  );
  if (!operation) return;
  const where = `${method} ${operation.path} answered ${status}`;

  if (status >= 400) {
    const type = String((body as { type?: unknown } | undefined)?.type).replace('/problems/', '');
    const declared: readonly string[] = problemTypesOf(operation);
    if (!declared.includes(type)) throw new Error(`${where} with the undeclared problem ${type}`);
    const expected = problemTypes[type as keyof typeof problemTypes].status;
    if (expected !== status) throw new Error(`${where}, but ${type} is ${expected}`);
    if (!headers.get('content-type')?.startsWith('application/problem+json')) {
      throw new Error(`${where} as ${headers.get('content-type')}`);
    }
    return;
  }
  const answer = operation.answers[status];
  if (!answer) throw new Error(`${where}, which is not declared`);
  if (!answer.schema) {
    if (body !== undefined) throw new Error(`${where} with a body, which is not declared`);
    return;
  }
  const result = answer.schema.safeParse(body);
  if (!result.success) throw new Error(`${where} with another body than declared: ${result.error.message}`);
}

const patternOf = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);

// Errors of sockets, TLS and nodemailer, reduced to what the verdict module reads. No reference to the error
// survives: libraries hang sockets and settings on them.
import type { Symptom } from '../verdict/failure.ts';
import { tidy } from './reply.ts';

type Telling = Error & {
  code?: string;
  originalCode?: string;
  errno?: number | string;
  syscall?: string;
  hostname?: string;
  address?: string;
  port?: number;
  command?: string;
  response?: string;
  responseCode?: number;
  reason?: string;
};

/**
 * Reads an error's evidence. nodemailer overwrites the system's code with its own (`ESOCKET`) and keeps the
 * first as `originalCode`; ours is the one that tells more.
 */
export function symptomOf(error: unknown): Symptom {
  const {
    code,
    originalCode,
    errno,
    syscall,
    hostname,
    address,
    port,
    command,
    response,
    responseCode,
    reason,
    message,
  } = mostTelling(error);
  return Object.fromEntries(
    Object.entries({
      code: originalCode ?? code,
      errno,
      syscall,
      hostname,
      address,
      port,
      command,
      responseCode,
      reply: response === undefined ? undefined : tidy(response),
      message: tidy(message),
      reason,
    }).filter(([, value]) => value !== undefined && value !== ''),
  );
}

/** Node tries the addresses of a host in turn and reports one error for each. */
function mostTelling(error: unknown): Telling {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // "No such network" only says that this machine has no IPv6; whoever refused or kept silent is the cause.
    const each = error.errors as Telling[];
    return each.find(({ code }) => code !== 'ENETUNREACH' && code !== 'EHOSTUNREACH') ?? (each[0] as Telling);
  }
  return error instanceof Error ? error : new Error(String(error));
}

// The environment contract: what each process reads, checked once and complained about once.
import { EnvironmentError } from './findings.ts';
import type { LogAddresses, LogLevel } from './log.ts';

export { EnvironmentError, type Finding, type FindingCause } from './findings.ts';

export function readMigrateEnvironment(source: Readonly<Record<string, string | undefined>>) {
  const databaseUrl = source.DATABASE_URL?.trim();
  if (!databaseUrl) {
    throw new EnvironmentError([
      {
        variable: 'DATABASE_URL',
        severity: 'problem',
        problem: 'is missing',
        shape: 'not set',
        fix: 'Set it to the address of a PostgreSQL database.',
        cause: 'env-missing',
      },
    ]);
  }
  return { databaseUrl, logLevel: 'info' as LogLevel, logAddresses: 'masked' as LogAddresses };
}

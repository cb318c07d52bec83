// Before the first test file: one PostgreSQL server and one migrated template for the whole run.
import type { TestProject } from 'vitest/node';
import { createTemplate, dropTemplate } from './database.ts';
import { startPostgres, wishesOf } from './postgres.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(wishesOf(process.env));
  console.info(`PostgreSQL: ${server.origin}`);
  const template = await createTemplate(server.url);
  project.provide('template', template);
  return async () => {
    await dropTemplate(template);
    await server[Symbol.asyncDispose]();
  };
}

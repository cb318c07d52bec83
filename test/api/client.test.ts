// What others make of /openapi.json: a client that a well-known generator writes from it compiles with our compiler and
// takes an applicant through onboarding.
import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const flow = `
import { approveApplication, deleteApplication, getCustomer, getEmail, getEmailStatus, submitApplication } from './client/index.ts';
import { client } from './client/client.gen.ts';
import { until } from ${JSON.stringify(join(root, 'test', 'kit', 'until.ts'))};

client.setConfig({ baseUrl: process.env.POSTERN_URL!, auth: () => process.env.POSTERN_KEY });

const status = await getEmailStatus({ throwOnError: true });
const application = await submitApplication({
  body: { company: 'Example Bakery', contact_name: 'Ann Example', email: 'ann@bakery.example.com' },
  throwOnError: true,
});
const path = { id: application.data.id };
const approved = await approveApplication({
  path,
  body: { sendInvitation: true },
  headers: { 'Idempotency-Key': 'approve-' + path.id },
  throwOnError: true,
});
const { customer, owner, invitation } = approved.data;
if (!invitation) throw new Error('nobody was invited');
const found = await getCustomer({ path: { id: customer.id }, throwOnError: true });

const email = await until(async () => {
  const answer = await getEmail({ path: { id: invitation.email_id }, throwOnError: true });
  return answer.data.status === 'sent' && answer;
}, { what: 'the invitation to be sent' });
const refused = await deleteApplication({ path });

console.log(JSON.stringify({
  configured: status.data.configured,
  customer: found.data.customer.email,
  owner: owner.name,
  recipients: email.data.recipients.map(({ address, reply_code }) => [address, reply_code]),
  refusal: refused.error?.type,
}));
`;

const compilerOptions = {
  noEmit: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  target: 'esnext',
  module: 'nodenext',
  lib: ['esnext', 'dom', 'dom.iterable'],
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
};

test('a generated client compiles, and onboards an applicant from application to sent invitation', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-client-'));
  const { createClient } = await loadGenerator();
  await createClient({
    input: `${stack.api.url}/openapi.json`,
    output: { path: join(folder.path, 'client'), module: { extension: '.ts' } },
    logs: { level: 'silent', file: false },
  });
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  await writeFile(join(folder.path, 'flow.ts'), flow);

  const compiled = await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    folder.path,
  ]).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe('');

  const env = { POSTERN_URL: stack.api.url, POSTERN_KEY: stack.api.key };
  const { stdout } = await run(process.execPath, [join(folder.path, 'flow.ts')], { env, timeout: 20_000 });
  expect(JSON.parse(stdout)).toEqual({
    configured: true,
    customer: 'ann@bakery.example.com',
    owner: 'Ann Example',
    recipients: [['ann@bakery.example.com', 250]],
    refusal: '/problems/customer-account-exists',
  });
  expect(stack.provider.messages.map(({ envelope }) => envelope.recipients)).toEqual([
    ['ann@bakery.example.com'],
  ]);
}, 60_000);

/**
 * The generator prints its files with the API that compilers up to TypeScript 6 had, and asks for it under the name of
 * the compiler itself, which is 7 here. It gets the bundled copy of somebody who needs the old one as well.
 */
async function loadGenerator() {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'typescript' ? '@ts-morph/common/dist/typescript.js' : specifier, context),
  });
  try {
    return await import('@hey-api/openapi-ts');
  } finally {
    hooks.deregister();
  }
}

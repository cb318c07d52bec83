// What others make of /openapi.json: clients that well-known generators write from it compile with our compiler, take an
// applicant through onboarding, and run the programs of deploy/typed-clients.md.
import { execFile } from 'node:child_process';
import { mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const flow = `
import { createClient } from './client/client/index.ts';
import { Postern } from './client/index.ts';
import { until } from ${JSON.stringify(join(root, 'test', 'kit', 'until.ts'))};

const client = createClient({ baseUrl: process.env.POSTERN_URL!, auth: () => process.env.POSTERN_KEY });
const { applications, customers, emails, emailStatus } = new Postern({ client });

const status = await emailStatus.get({ throwOnError: true });
const application = await applications.submit({
  body: { company: 'Example Bakery', contact_name: 'Ann Example', email: 'ann@bakery.example.com' },
  throwOnError: true,
});
const path = { id: application.data.id };
const approved = await applications.approve({
  path,
  body: { sendInvitation: true },
  headers: { 'Idempotency-Key': 'approve-' + path.id },
  throwOnError: true,
});
const { customer, owner, invitation } = approved.data;
if (!invitation) throw new Error('nobody was invited');
const found = await customers.get({ path: { id: customer.id }, throwOnError: true });

const email = await until(async () => {
  const answer = await emails.get({ path: { id: invitation.email_id }, throwOnError: true });
  return answer.data.status === 'sent' && answer;
}, { what: 'the invitation to be sent' });
const refused = await applications.delete({ path });

console.log(JSON.stringify({
  configured: status.data.configured,
  customer: found.data.customer.email,
  owner: owner.name,
  recipients: email.data.recipients.map(({ address, reply_code }) => [address, reply_code]),
  refusal: refused.error?.type,
}));
`;

/** The programs of the page, by the file they are written into. */
async function programsOfPage(): Promise<Record<string, string>> {
  const page = await readFile(join(root, 'deploy', 'typed-clients.md'), 'utf8');
  const blocks = page.matchAll(/`([\w.-]+\.ts)`:\n\n```ts\n(.*?)```/gs);
  return Object.fromEntries([...blocks].map(([, name = '', code = '']) => [name, code]));
}

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

test('generated clients compile; one onboards an applicant, and the programs of the page send their mail', async () => {
  await using stack = await startStack({ processes: ['relay', 'api'] });
  await using folder = await mkdtempDisposable(join(tmpdir(), 'postern-client-'));
  const programs = await programsOfPage();
  expect(Object.keys(programs)).toEqual(['openapi-ts.config.ts', 'receipt.ts', 'reminder.ts']);
  await generate(folder.path, `${stack.api.url}/openapi.json`, programs['openapi-ts.config.ts'] ?? '');
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  for (const [name, code] of Object.entries({ ...programs, 'flow.ts': flow }))
    await writeFile(join(folder.path, name), code);

  const compiled = await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    folder.path,
  ]).catch((error: { stdout: string }) => error);
  expect(compiled.stdout).toBe('');

  const env = { POSTERN_URL: stack.api.url, POSTERN_KEY: stack.api.key };
  const say = async (file: string) =>
    (await run(process.execPath, [join(folder.path, file)], { env, timeout: 20_000 })).stdout.trim();
  const [onboarded, receipt, reminder] = await Promise.all(['flow.ts', 'receipt.ts', 'reminder.ts'].map(say));
  expect(JSON.parse(onboarded ?? '')).toEqual({
    configured: true,
    customer: 'ann@bakery.example.com',
    owner: 'Ann Example',
    recipients: [['ann@bakery.example.com', 250]],
    refusal: '/problems/customer-account-exists',
  });
  expect(receipt).toMatch(/^[0-9a-f-]{36} \w+$/);
  expect(reminder).toMatch(/^[0-9a-f-]{36} cancelled$/);
  const recipients = () => stack.provider.messages.flatMap(({ envelope }) => envelope.recipients).sort();
  await until(() => recipients().length === 2, { what: 'both mails at the provider' });
  expect(recipients()).toEqual(['ann@bakery.example.com', 'ann@example.com']);
}, 60_000);

/** What the page says to run, with the description of this stack. */
async function generate(folder: string, input: string, config: string): Promise<void> {
  const given = JSON.parse(
    await run(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      `${config.replace('export default', 'const config =')}\nconsole.log(JSON.stringify(config))`,
    ]).then(({ stdout }) => stdout),
  ) as { output: { path: string } };
  const { createClient, openapiTypescript, astToString } = await loadGenerators();
  const output = { ...given.output, path: join(folder, given.output.path) };
  await createClient({ ...given, input, output, logs: { level: 'silent', file: false } });
  await writeFile(join(folder, 'postern.d.ts'), astToString(await openapiTypescript(new URL(input))));
}

/**
 * The generators print their files with the API that compilers up to TypeScript 6 had, and ask for it under the name of
 * the compiler itself, which is 7 here. They get the bundled copy of somebody who needs the old one as well.
 */
async function loadGenerators() {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'typescript' ? '@ts-morph/common/dist/typescript.js' : specifier, context),
  });
  try {
    const { createClient } = await import('@hey-api/openapi-ts');
    const { default: openapiTypescript, astToString } = await import('openapi-typescript');
    return { createClient, openapiTypescript, astToString };
  } finally {
    hooks.deregister();
  }
}

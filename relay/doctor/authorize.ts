// `npm run doctor -- authorize`: walks a person through allowing Postern to send from a mailbox, and prints what to set.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { type OAuth2Reading, readOAuth2, usualScope } from '../../deploy/oauth2.ts';
import { openReading, type Source } from '../../deploy/reading.ts';
import { askByDevice, type Permission } from '../tokens/device-flow.ts';
import { askByLoopback } from '../tokens/loopback-flow.ts';
import { explain } from '../verdict/explain.ts';
import { judge } from '../verdict/verdict.ts';
import { type PlatformId, whereToType } from '../verdict/where-to-type.ts';

type Conversation = {
  readonly say: (text: string) => void;
  readonly input: Readable;
  /** A refresh token is shown to a person only, and never lands in a file or a log. */
  readonly isTerminal: boolean;
  readonly platform: PlatformId;
  readonly signal: AbortSignal;
};

const googlesPage = 'https://accounts.google.com/o/oauth2/v2/auth';

/** @returns whether there is a permission now */
export async function authorize(
  source: Source,
  prefix: 'SMTP' | 'SMTP2',
  talk: Conversation,
): Promise<boolean> {
  const { say, isTerminal } = talk;
  const setting = settingFor(source, prefix);
  if (typeof setting === 'string') {
    say(`${setting}\n`);
    return false;
  }
  if (!isTerminal) {
    say(
      'This prints a secret, so it needs a terminal: run it without a pipe, with docker exec -it or compose run.\n',
    );
    return false;
  }
  const permission = await ask(setting, talk).catch(
    (error: Error): Permission => ({ refusal: error.message }),
  );
  if ('refusal' in permission) {
    say(`\nIt did not work: ${permission.refusal}\n${adviceOn(permission.refusal)}\n`);
    return false;
  }
  say(`\n${whatToSet(prefix, setting.oauth2, permission.refreshToken)}\n`);
  say(`${whereToType(talk.platform, [`${prefix}_OAUTH2_REFRESH_TOKEN`])}\nThen: npm run doctor\n`);
  return true;
}

type Setting = { readonly oauth2: OAuth2Reading; readonly authorities: readonly string[] };

/** What is needed to ask; or what to set first. */
function settingFor(source: Source, prefix: 'SMTP' | 'SMTP2'): Setting | string {
  const reading = openReading(source);
  const provider = reading.optional(`${prefix}_OAUTH2_PROVIDER`);
  if (provider === 'custom')
    return `With ${prefix}_OAUTH2_PROVIDER=custom Postern does not know the pages of the provider: get a refresh token with its own tool.`;
  const needed = [
    'PROVIDER',
    'CLIENT_ID',
    ...(provider === 'google' ? (['CLIENT_SECRET'] as const) : []),
  ] as const;
  const missing = needed
    .map((key) => `${prefix}_OAUTH2_${key}` as const)
    .filter((name) => reading.isMissing(name));
  if (missing.length > 0)
    return `Set these first: ${missing.join(', ')}. See the manual's page on Microsoft 365 or Google.`;
  const oauth2 = readOAuth2(reading, prefix);
  const problem = reading.findings.find(({ severity }) => severity === 'problem');
  if (problem || !oauth2) return `${problem?.variable} ${problem?.problem}. ${problem?.fix}`;
  const caFile = reading.optional(`${prefix}_CA_FILE`);
  const scope = reading.optional(`${prefix}_OAUTH2_SCOPE`) ?? usualScope(oauth2.provider, 'refresh-token');
  return {
    oauth2: { ...oauth2, scope, grant: 'refresh-token' },
    authorities:
      caFile === undefined ? rootCertificates : [...rootCertificates, readFileSync(caFile, 'utf8')],
  };
}

async function ask(
  { oauth2, authorities }: Setting,
  { say, input, signal }: Conversation,
): Promise<Permission> {
  if (oauth2.provider === 'microsoft') {
    return askByDevice(oauth2, { authorities, signal }, (page, code) =>
      say(
        `Open ${page} in any browser, type the code ${code}, and sign in as the mailbox that sends.\nWaiting …\n`,
      ),
    );
  }
  const lines = createInterface({ input });
  const pasted = new Promise<string>((resolve) => lines.once('line', resolve));
  try {
    return await askByLoopback(oauth2, googlesPage, { authorities, signal, pasted }, (page) =>
      say(
        `Open this page, and sign in as the mailbox that sends:\n\n  ${page}\n\nIf the browser is on another machine it ends at an address that does not open: paste that address here.\nWaiting …\n`,
      ),
    );
  } finally {
    lines.close();
  }
}

function adviceOn(refusal: string): string {
  const { cause } = judge({ stage: 'token', symptom: { reply: refusal } });
  const { title, fix } = explain(cause);
  return `${title}. ${fix}`;
}

function whatToSet(
  prefix: 'SMTP' | 'SMTP2',
  { provider, tenant, clientId }: OAuth2Reading,
  refreshToken: string,
): string {
  return [
    'It worked. Set these for the relay, and show them to nobody:',
    '',
    `  ${prefix}_AUTH=oauth2`,
    `  ${prefix}_OAUTH2_PROVIDER=${provider}`,
    ...(provider === 'microsoft' ? [`  ${prefix}_OAUTH2_TENANT=${tenant ?? 'common'}`] : []),
    `  ${prefix}_OAUTH2_CLIENT_ID=${clientId}`,
    `  ${prefix}_OAUTH2_REFRESH_TOKEN=${refreshToken}`,
    '',
    'The client secret stays as it is, where one is set.',
  ].join('\n');
}

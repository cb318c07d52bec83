// Advice about OAuth2 names only what can be set, and the replies of Microsoft and Google mean what they mean.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { variableTable } from '../../../deploy/variables.ts';
import { catalogue, type Entry } from '../../../relay/verdict/catalogue.ts';
import { diagnoseLine } from '../../../relay/verdict/diagnosis.ts';
import { explain } from '../../../relay/verdict/explain.ts';
import { judge } from '../../../relay/verdict/verdict.ts';
import { variablesIn } from '../../../relay/verdict/where-to-type.ts';

const unknownIn = (text: string) =>
  variablesIn(text).filter((name) => !(name in variableTable) && !isAlias(name));
const isAlias = (name: string) =>
  Object.values(variableTable).some(({ aliases }) => aliases?.includes(name) === true);

test('every variable that any advice names exists', () => {
  const texts = Object.values<Entry>(catalogue).flatMap(({ title, meaning, fix, providers, platforms }) => [
    title,
    meaning,
    fix,
    ...Object.values(providers ?? {}),
    ...Object.values(platforms ?? {}),
  ]);
  // Such as SMTP_PASSWORD_BASE64, a form of a secret.
  const isForm = (name: string) => name.replace(/_(?:FILE|BASE64)$/, '') in variableTable;
  expect(texts.flatMap(unknownIn).filter((name) => !isForm(name))).toEqual([]);
  expect(variablesIn('Set SMTP_OAUTH2_CLIENT_ID and SMTP2_OAUTH2_TENANT.')).toEqual([
    'SMTP_OAUTH2_CLIENT_ID',
    'SMTP2_OAUTH2_TENANT',
  ]);
});

const knownFailures = readFileSync(new URL('../../corpus/failures.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ line, row: JSON.parse(line) as { id: string } }));

test.each([
  ['auth-basic-disabled-outlook', 'auth-basic-disabled', 'SMTP_OAUTH2_PROVIDER'],
  ['auth-conditional-access-microsoft365', 'auth-conditional-access', 'SMTP_AUTH'],
  ['oauth2-config-gmail', 'oauth2-config', 'SMTP_OAUTH2_CLIENT_ID'],
  ['oauth2-revoked-gmail', 'oauth2-revoked', 'SMTP_OAUTH2_REFRESH_TOKEN'],
  ['oauth2-scope-gmail', 'oauth2-scope', 'SMTP_OAUTH2_SCOPE'],
])('%s: %s, with what to set', (id, cause, variable) => {
  const { line = '' } = knownFailures.find(({ row }) => row.id === id) ?? {};
  const answer = diagnoseLine(line);
  expect(answer).toMatchObject({ id, cause, verdict: 'stop' });
  const { fix } = answer as { fix: string };
  expect(variablesIn(fix)).toContain(variable);
  expect(unknownIn(fix)).toEqual([]);
});

test.each([
  ['AADSTS7000215: Invalid client secret provided.', 'oauth2-secret-wrong'],
  [
    "invalid_client: AADSTS7000222: The provided client secret keys for app 'x' are expired.",
    'oauth2-secret-expired',
  ],
  ['invalid_grant: AADSTS700082: The refresh token has expired due to inactivity.', 'oauth2-revoked'],
  ['invalid_grant: Token has been expired or revoked.', 'oauth2-revoked'],
  ['AADSTS65001: The user or administrator has not consented to use the application', 'oauth2-consent'],
  [
    'AADSTS50076: Due to a configuration change made by your administrator you must use multi-factor',
    'oauth2-policy',
  ],
  ['invalid_grant: Invalid email or User ID', 'oauth2-account'],
])('pasted: %s', (message, cause) => {
  expect(judge({ symptom: { message }, config: {} })).toMatchObject({ cause, verdict: 'stop' });
});

const auth = (reply: string, command = 'AUTH XOAUTH2') =>
  judge({ stage: 'auth', symptom: { responseCode: Number(reply.slice(0, 3)), reply, command } });

test('535 with a token is about rights, with a password about the password', () => {
  const reply = '535 5.7.3 Authentication unsuccessful [HOST.example.com 2026-01-01T00:00:00.000Z 01]';
  expect(auth(reply)).toMatchObject({ cause: 'oauth2-token-refused', verdict: 'stop' });
  expect(auth(reply, 'AUTH LOGIN').cause).not.toBe('oauth2-token-refused');
});

test.each([
  [
    '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.',
    'auth-basic-disabled',
  ],
  [
    '535 5.7.139 Authentication unsuccessful, user is locked by your organization security defaults policy.',
    'auth-conditional-access',
  ],
  ['454 4.7.0 Temporary authentication failure', 'auth-provider-fault'],
  ['432 4.3.2 Concurrent connections limit exceeded', 'concurrency'],
])('%s', (reply, cause) => {
  expect(auth(reply)).toMatchObject({ cause });
});

test('a right that is missing at the end of DATA stops the credential, or holds the sender', () => {
  const at = (reply: string) =>
    judge({
      stage: 'dot',
      symptom: { responseCode: Number(reply.slice(0, 3)), reply, hostname: 'smtp.office365.com' },
    });
  const mailbox = at(
    '430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:ConnectionFailedTransientException.MapiExceptionLogonFailed',
  );
  expect(mailbox).toMatchObject({ verdict: 'stop', scope: 'credential', cause: 'oauth2-mailbox-permission' });
  const sender = at(
    '554 5.2.252 SendAsDenied; a@example.com not allowed to send as b@example.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied',
  );
  expect(sender).toMatchObject({ verdict: 'stop', scope: 'sender' });
  expect(explain(sender.cause, { host: 'smtp.office365.com' }).fix).toMatch(/SendAs|Send As/);
});

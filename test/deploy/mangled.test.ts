// What web pages, shells, templates and people leave on a value: each is named with place and fix, none is repaired,
// and no finding repeats the value.
import { describe, expect, test } from 'vitest';
import { readRelayEnvironment } from '../../deploy/environment.ts';

const complete = {
  DATABASE_URL: 'postgres://postern:secret@db.example.org/postern',
  RELAY_PASSWORD: 'between-us',
  SMTP_HOST: 'smtp.provider.test',
  SMTP_USER: 'mailer@widgets.test',
  SMTP_PASSWORD: 'correct horse',
  SMTP_FROM_EMAIL: 'mailer@widgets.test',
};

const findingsOf = (variables: Record<string, string>) =>
  readRelayEnvironment({ ...complete, ...variables }).problems;

test('nothing is found where nothing is wrong', () => expect(findingsOf({})).toEqual([]));

describe('found', () => {
  test.each([
    [
      'SMTP_PASSWORD',
      'wxyz\u00a0wxyz\u00a0wxyz',
      'env-invisible',
      'problem',
      /2 times .* places 5, 10 of 14/,
    ],
    ['SMTP_PASSWORD', 'wx\u200byz', 'env-invisible', 'problem', /a zero-width character, at place 3 of 5/],
    ['SMTP_PASSWORD', '\ufeffwxyz', 'env-invisible', 'problem', /byte order mark/],
    ['SMTP_USER', 'mailer@widgets.test\u2060', 'env-invisible', 'problem', /zero-width/],
    ['SMTP_HOST', 'smtp.provider.test\u00a0', 'env-invisible', 'problem', /place 19 of 19/],
    ['SMTP_PASSWORD', '“wxyz”', 'env-invisible', 'problem', /2 times a typographic quote/],
    ['SMTP_PASSWORD', 'wx\\$yz', 'env-escaped', 'warning', /backslash/],
    ['SMTP_PASSWORD', 'wx\\!yz', 'env-escaped', 'warning', /backslash/],
    ['SMTP_PASSWORD', 'wxyz # from the console', 'env-comment-truncation', 'warning', /comment/],
    ['SMTP_HOST', 'smtp.provider.test # Frankfurt', 'env-comment-truncation', 'problem', /comment/],
    ['SMTP_PASSWORD', 'export SMTP_PASSWORD=wxyz', 'env-leftover', 'problem', /whole line/],
    ['SMTP_HOST', 'SMTP_HOST=smtp.provider.test', 'env-leftover', 'problem', /whole line/],
    ['SMTP_HOST', 'undefined', 'env-placeholder', 'problem', /no value/],
    ['SMTP_USER', 'null', 'env-placeholder', 'problem', /no value/],
    ['SMTP_PASSWORD', 'None', 'env-placeholder', 'problem', /no value/],
    ['SMTP_PORT', 'NaN', 'env-placeholder', 'problem', /no value/],
    ['SMTP_PASSWORD', '<your-app-password>', 'env-placeholder', 'problem', /placeholder/],
    ['SMTP_PASSWORD', 'changeme', 'env-placeholder', 'problem', /placeholder/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a platform left
    ['SMTP_PASSWORD', '${MAIL_SECRET}', 'env-interpolated', 'problem', /reference/],
    [
      'SMTP_FROM_EMAIL',
      'Widgets <mailer@widgets.test>',
      'env-value-garbage',
      'problem',
      /SMTP_FROM_NAME|name around/,
    ],
    ['SMTP_FROM_EMAIL', '"Widgets" <mailer@widgets.test>', 'env-value-garbage', 'problem', /name around/],
    ['SMTP_FROM_EMAIL', '<mailer@widgets.test>', 'env-value-garbage', 'problem', /brackets/],
    ['SMTP_ALLOWED_SENDERS', '*@*.widgets.test', 'env-value-garbage', 'problem', /wildcard/],
    ['SMTP_ALLOWED_SENDERS', '@widgets.test', 'env-value-garbage', 'problem', /wildcard/],
    ['SMTP_ALLOWED_SENDERS', 'a*@widgets.test', 'env-value-garbage', 'problem', /wildcard/],
    ['SMTP_ALLOWED_SENDERS', 'widgets.test', 'env-value-garbage', 'problem', /wildcard/],
    ['SMTP_HOST', 'smtp.provider.test:465', 'env-host-garbage', 'problem', /port/],
    ['SMTP_HOST', 'smtp.provider.test/mail', 'env-host-garbage', 'problem', /path/],
    ['SMTP_HOST', 'mailer:secret@smtp.provider.test', 'env-host-garbage', 'problem', /user/],
    ['SMTP_HOST', 'smtp.provider.test.', 'env-host-garbage', 'warning', /dot/],
    ['SMTP_HOST', 'mail', 'local-name', 'warning', /without a dot/],
    ['SMTP_HOST', 'imap.gmail.com', 'wrong-service-host', 'warning', /another server/],
    [
      'SMTP_HOST',
      'widgets-test.mail.protection.outlook.com',
      'wrong-service-host',
      'warning',
      /another server/,
    ],
    ['SMTP_PORT', '465 (SSL)', 'env-port-garbage', 'problem', /besides the number/],
    ['SMTP_PORT', 'ssl', 'env-port-garbage', 'problem', /not a number/],
  ] as const)('%s=%s: %s', (variable, value, cause, severity, words) => {
    const findings = findingsOf({ [variable]: value });
    const found = findings.find((finding) => finding.variable === variable);
    expect(found).toMatchObject({ cause, severity, problem: expect.stringMatching(words) });
    expect(JSON.stringify(findings)).not.toContain('wxyz');
  });
});

test('what truly belongs to a password can be given as base64', () => {
  const { SMTP_PASSWORD: _, ...rest } = complete;
  const { problems, providers } = readRelayEnvironment({
    ...rest,
    SMTP_PASSWORD_BASE64: Buffer.from('wx\u00a0yz # 1').toString('base64'),
  });
  expect(problems).toEqual([]);
  expect(providers[0]?.password).toBe('wx\u00a0yz # 1');
});

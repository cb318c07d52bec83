// How receivers write Authentication-Results, and what a mail to oneself tells by it. The fields are invented after the
// forms that each receiver uses.
import { expect, test } from 'vitest';
import { readAuthenticationResults } from '../../../relay/canary/authentication-results.ts';
import { tokenIn } from '../../../relay/canary/compose.ts';
import { type Arrival, judgeArrival } from '../../../relay/canary/judge.ts';

const gmail = `mx.google.com; dkim=pass header.i=@acme.test header.s=default header.b=AbC/d+e;
  spf=pass (google.com: domain of mailer@acme.test designates 192.0.2.1 as permitted sender) smtp.mailfrom=mailer@acme.test;
  dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=acme.test`;
const outlook = `spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=acme.test; dkim=pass (signature was verified)
  header.d=acme.test;dmarc=pass action=none header.from=acme.test;compauth=pass reason=100`;
const outlookBefore = `spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=acme.test; contoso.test; dkim=pass
  (signature was verified) header.d=acme.test;contoso.test; dmarc=bestguesspass action=none header.from=acme.test`;
const yahoo = `atlas-production.v2-mail-prod1.yahoo.example; dkim=pass header.i=@acme.test header.s=default;
  spf=pass smtp.mailfrom=acme.test; dmarc=pass(p=NONE) header.from=acme.test;`;
const rspamd = `mail.acme.test; dkim=pass header.d=acme.test header.s=default header.b="a;b=c"; arc=none;
  dmarc=pass (policy=none) header.from=acme.test; spf=pass (mail.acme.test: domain of "a;b c"@acme.test
  designates 192.0.2.1 as permitted sender) smtp.mailfrom=mailer@acme.test`;
const fastmail = `mx6.messagingengine.example; arc=none (no signatures found); bimi=skipped; dkim=pass (2048-bit rsa key
  sha256) header.d=acme.test header.i=@acme.test header.b=x header.a=rsa-sha256 header.s=default x-bits=2048;
  dmarc=pass policy.published-domain-policy=none header.from=acme.test; iprev=pass policy.iprev=192.0.2.1; spf=pass
  smtp.mailfrom=mailer@acme.test smtp.helo=mail.acme.test; x-ptr=pass`;
const icloud = [
  'bimi=skipped reason="insufficient dmarc"',
  'dmarc.icloud.example; dmarc=pass header.from=acme.test',
  'dkim-verifier.icloud.example; dkim=pass (2048-bit key) header.d=acme.test header.i=@acme.test',
  'spf.icloud.example; spf=pass (192.0.2.1 is authorized) smtp.mailfrom=mailer@acme.test',
];

const arrive = (authentication: readonly string[], changes: Partial<Arrival> = {}) =>
  judgeArrival({
    domain: 'acme.test',
    sender: 'mailer@acme.test',
    isOwnMailbox: true,
    isJunk: false,
    folder: 'INBOX',
    from: 'mailer@acme.test',
    authentication,
    signatures: [],
    ...changes,
  });

const causes = ({ findings }: ReturnType<typeof judgeArrival>) =>
  findings.filter(({ result }) => result !== 'pass').map(({ cause, result }) => `${result} ${cause}`);

test.each([
  ['Gmail', [gmail]],
  ['Outlook.com', [outlook]],
  ['Yahoo', [yahoo]],
  ['Rspamd before Dovecot', [rspamd]],
  ['Fastmail', [fastmail]],
  ['iCloud, in fields of their own', icloud],
])('all is well as %s writes it', (_, fields) => {
  const judged = arrive(fields);
  expect(causes(judged)).toEqual([]);
  expect(judged.result).toBe('pass');
  expect(judged.findings.map(({ check }) => check)).toEqual(['arrival', 'spf', 'dkim', 'dmarc']);
});

test.each([
  ['none at all', [], {}, ['unknown canary-not-checked']],
  [
    'only who signed in',
    ['mail.acme.test; auth=pass smtp.auth=mailer@acme.test'],
    {},
    ['unknown canary-not-checked'],
  ],
  ['no word', ['mx.google.com; none'], {}, ['unknown canary-not-checked']],
  ['before 2020, and no DMARC record', [outlookBefore], {}, ['note canary-dmarc-none']],
  ['junk', [gmail], { isJunk: true, folder: 'Spam' }, ['warn canary-junk']],
  ['another From', [gmail], { from: 'mailer@x.brevosend.test' }, ['fail canary-from-replaced']],
  [
    'signed by the provider alone',
    [
      gmail
        .replace('header.i=@acme.test', 'header.i=@acme-test.20230601.gappssmtp.example')
        .replace('dmarc=pass', 'dmarc=fail'),
    ],
    {},
    ['warn canary-dkim-not-aligned', 'fail canary-dmarc-failed'],
  ],
  [
    'nothing passes',
    [
      'mx.x.test 1; spf=softfail smtp.mailfrom=acme.test; dkim=none (message not signed) header.d=none; dmarc=fail',
    ],
    {},
    ['warn canary-spf-failed', 'warn canary-dkim-missing', 'fail canary-dmarc-failed'],
  ],
  [
    'DNS had a bad minute',
    ['mx.x.test; spf=temperror smtp.mailfrom=acme.test; dkim=temperror header.d=acme.test; dmarc=temperror'],
    {},
    ['unknown canary-spf-failed', 'unknown canary-dkim-failed', 'unknown canary-dmarc-temperror'],
  ],
  [
    "MAIL FROM is the relay service's",
    [gmail.replaceAll('smtp.mailfrom=mailer@acme.test', 'smtp.mailfrom=0100@eu.amazonses.example')],
    {},
    ['note canary-spf-not-aligned'],
  ],
  ['two signatures', [`mx.x.test; dkim=fail header.d=acme.test; ${gmail.slice(15)}`], {}, []],
])('%s', (_, fields, changes, expected) => {
  expect(causes(arrive(fields, changes))).toEqual(expected);
});

test('of mail that was forwarded the first server counts, of our own mailbox the last', () => {
  const broken = 'mx.last.test; spf=fail smtp.mailfrom=x@acme.test; dkim=fail header.d=acme.test; dmarc=fail';
  expect(arrive([broken, gmail], { isOwnMailbox: false }).result).toBe('pass');
  expect(arrive([broken, gmail]).result).toBe('fail');
});

test('the selectors are those of the signatures of the domain', () => {
  const signatures = [
    'v=1; a=rsa-sha256; d=ACME.test; s=S1; h=from:to; bh=x; b=s=y',
    'v=1; d=other.test; s=theirs',
    'v=1; d=acme.test; s=s1',
  ];
  expect(arrive([gmail], { signatures }).selectors).toEqual(['s1']);
});

test('a subject is known again with the mark of a filter, and not in a report', () => {
  const token = '0123456789abcdef0123456789abcdef';
  for (const subject of [
    `Postern test mail ${token}`,
    `[SPAM] Postern test mail ${token} `,
    `***SPAM*** Postern test mail ${token}`,
  ])
    expect(tokenIn(subject)).toBe(token);
  for (const subject of [
    `Undeliverable: Postern test mail ${token}`,
    `Postern test mail ${token}0`,
    'Postern test mail',
  ])
    expect(tokenIn(subject)).toBeUndefined();
});

test('what is hostile ends soon', () => {
  const since = performance.now();
  for (const text of [
    '('.repeat(100_000),
    '"'.repeat(100_000),
    'dkim=pass;'.repeat(50_000),
    'a'.repeat(200_000),
    '\\'.repeat(99_999),
  ])
    expect(readAuthenticationResults(text).length).toBeLessThanOrEqual(30);
  expect(performance.now() - since).toBeLessThan(5_000);
});

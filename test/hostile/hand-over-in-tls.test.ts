// Attack: somebody listens between the api and a relay on another host.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAuthority } from '../kit/certificate.ts';
import { startStack } from '../kit/stack.ts';
import { until } from '../kit/until.ts';

test('where the relay has a certificate, also one for another name, api and relay speak TLS', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-tls-'));
  try {
    const { cert, key } = await (await createAuthority()).issue({ names: ['mail.public.example'] });
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    await using stack = await startStack({
      processes: ['relay', 'api'],
      relay: { RELAY_TLS_CERT_FILE: files.cert, RELAY_TLS_KEY_FILE: files.key },
    });
    const mail = { to: 'ann@example.com', subject: 'Hello', text: 'Hello.' };
    const { status } = await stack.api.post('/api/v1/emails', mail);
    expect(status).toBe(202);
    const [message] = await until(
      () => (stack.provider.messages.length > 0 ? stack.provider.messages : undefined),
      { what: 'the mail at the provider' },
    );
    // RFC 3848: the S is TLS, the A is AUTH.
    expect(String(message?.raw)).toMatch(/^Received: [\s\S]*? with (?:UTF8SMTPSA|ESMTPSA)\b/m);
  } finally {
    await rm(folder, { recursive: true });
  }
});

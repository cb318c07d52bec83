// The webhook gets what deploy/README.md promises, and the snippet printed there tells it from a forgery.
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { openLog } from '../../../deploy/log.ts';
import { openAlerts } from '../../../relay/delivery/alert.ts';

type IsFromPostern = (header: string | undefined, body: Buffer, password: string, now?: number) => boolean;

/** The snippet as a reader would paste it. */
function documented(): IsFromPostern {
  const page = readFileSync(new URL('../../../deploy/README.md', import.meta.url), 'utf8');
  const [, named = '', code = ''] =
    /```js\nimport \{ ([\w, ]+) \} from 'node:crypto';\s+export (function isFromPostern[\s\S]*?)```/.exec(
      page,
    ) ?? [];
  const { createHmac, timingSafeEqual } = crypto;
  return new Function(...named.split(', '), `return ${code}`)(createHmac, timingSafeEqual) as IsFromPostern;
}

test('an alert is posted once, says what to do here, and its signature can be checked', async () => {
  const isFromPostern = documented();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const alert = openAlerts({
      log: openLog('relay', 'silent'),
      url: `http://127.0.0.1:${port}/alerts`,
      secret: 'a relay password',
      surroundings: (lane) => ({ host: `${lane}.example`.toLowerCase(), platform: 'coolify' }),
    });
    const asked = once(server, 'request');
    alert({
      kind: 'lane-stopped',
      lane: 'SMTP',
      cause: 'auth-bad-credentials',
      stage: 'auth',
      detail: '535 5.7.8 No',
    });
    const [request, response] = await asked;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.end();
    const body = Buffer.concat(chunks);
    expect(request).toMatchObject({ method: 'POST', url: '/alerts' });
    expect(JSON.parse(body.toString())).toEqual({
      kind: 'lane-stopped',
      lane: 'SMTP',
      cause: 'auth-bad-credentials',
      stage: 'auth',
      detail: '535 5.7.8 No',
      fix: expect.stringMatching(/^Set SMTP_USER .* Coolify: open the resource/),
      at: expect.stringMatching(/Z$/),
    });
    const header = request.headers['x-postern-signature'];
    expect(isFromPostern(header, body, 'a relay password')).toBe(true);
    expect(isFromPostern(header, body, 'another password')).toBe(false);
    expect(isFromPostern(header, Buffer.concat([body, Buffer.from(' ')]), 'a relay password')).toBe(false);
    expect(isFromPostern(header, body, 'a relay password', Date.now() / 1000 + 301)).toBe(false);
    expect(isFromPostern(undefined, body, 'a relay password')).toBe(false);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

// Run in a network of its own (behind-nat.test.ts): a relay that trusts the network its container is in, asked from a
// neighbour, from the gateway that stands for everybody behind a published port, and from the open internet.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTemplate } from '../../kit/database.ts';
import { startPostgres } from '../../kit/postgres.ts';
import { startStack } from '../../kit/stack.ts';
import { connect } from '../../kit/transcript.ts';

const [directory = '', trusted = '', neighbour = '', gateway = '', stranger = ''] = process.argv.slice(2);

await using server = await startPostgres({ kind: 'embedded' });
await using stack = await startStack({
  template: await createTemplate(server.url),
  processes: ['relay'],
  provider: false,
  relay: {
    DELIVERY_MODE: 'capture',
    SMTP_ALLOWED_SENDERS: '*@example.com',
    RELAY_TRUSTED_NETWORKS: trusted,
    RELAY_TLS_CERT_FILE: join(directory, 'cert.pem'),
    RELAY_TLS_KEY_FILE: join(directory, 'key.pem'),
  },
});
const { user, password } = stack.relay.application;

async function ask(localAddress: string, ca?: string) {
  await using client = await connect(stack.relay.port, { localAddress });
  await client.expect('220 *');
  if (ca) {
    await client.send('EHLO client.example.com').expect('250 *');
    await client.startTls({ ca, servername: 'localhost' });
  }
  const { lines } = await client.send('EHLO client.example.com').expect('250 *');
  const { text: mail } = await client.send('MAIL FROM:<ann@example.com>').expect('*');
  await client.send('RSET').expect('250 *');
  const { text: login } = await client.authPlain(user, password).expect('*');
  const [greeting] = lines;
  return { mail, login, offersAuth: lines.some((line) => line.startsWith('AUTH ')), greeting };
}

const ca = readFileSync(join(directory, 'ca.pem'), 'utf8');
const answers = {
  neighbour: await ask(neighbour),
  gateway: await ask(gateway),
  gatewayOverTls: await ask(gateway, ca),
  stranger: await ask(stranger),
  strangerOverTls: await ask(stranger, ca),
};
console.log(JSON.stringify(answers));

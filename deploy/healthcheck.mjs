// healthcheck.sh in Node, for stacks whose Compose file is of 0.1.0: `healthcheck.mjs PORT PATH`.
// The image has neither curl nor wget, and plain JavaScript starts a third faster than stripped TypeScript.
import { get } from 'node:http';

const [port = '3000', path = '/livez'] = process.argv.slice(2);

// 127.0.0.1, because `localhost` may mean ::1, on which nobody listens.
const request = get({ host: '127.0.0.1', port, path, timeout: 8_000, agent: false }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error(`no answer on port ${port} within 8 s`)));
request.on('error', (error) => {
  // Docker keeps these words: `docker inspect --format '{{json .State.Health}}' CONTAINER`.
  console.error(error.message);
  process.exitCode = 1;
});

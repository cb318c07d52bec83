// A process for process.test.ts, built like every main.ts; WISH says how it shall behave.
import { readMigrateEnvironment } from '../../deploy/environment.ts';
import { runProcess } from '../../deploy/process.ts';

const wish = process.env.WISH;

await runProcess(
  'worker',
  () => readMigrateEnvironment(process.env),
  async ({ log, resources, signal }) => {
    resources.defer(() => log.info('database closed'));
    resources.use({ [Symbol.asyncDispose]: async () => log.info('listener closed') });
    resources.adopt('timer', (name) => log.info(`${name} closed`));
    signal.addEventListener('abort', () => log.info('signal aborted'));

    // Stands for the listener and the database that keep a real process alive.
    const alive = setInterval(() => {}, 1000);
    resources.defer(() => clearInterval(alive));

    if (wish === 'finish') return 'finished';
    if (wish === 'fail') throw new Error('port taken');
    if (wish === 'reject') void Promise.reject(new Error('dropped'));
    if (wish === 'throw') setImmediate(() => raise(new Error('thrown')));
    if (wish === 'hang') resources.defer(() => new Promise(() => {}));
    if (wish === 'linger')
      resources.defer(() => new Promise((resolve) => process.once('SIGUSR2', () => resolve())));
    if (wish === 'start slowly') {
      log.info('starting');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise((resolve) => setImmediate(resolve));
      log.info('start given up');
      signal.throwIfAborted();
    }
    log.info('ready');
    return undefined;
  },
  { stopSeconds: wish === 'hang' ? 0.3 : 25 },
);

function raise(error: Error): never {
  throw error;
}

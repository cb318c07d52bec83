// The life of one process: read the environment, start, stop in reverse order on SIGTERM.
import { writeSync } from 'node:fs';
import { tidyAfterStart } from './after-start.ts';
import { EnvironmentError, type Finding } from './findings.ts';
import { type Log, type LogAddresses, type LogLevel, openLog } from './log.ts';

export type ProcessName = 'api' | 'relay' | 'worker' | 'migrate';

export type Running<Environment> = {
  environment: Environment;
  log: Log;
  /** Whatever is opened goes in here; it is closed in reverse order. */
  resources: AsyncDisposableStack;
  /** Aborts when the process has been asked to stop: long waits end early. */
  signal: AbortSignal;
};

/** EX_CONFIG of sysexits.h: something is configured wrong, starting again will not help. */
const exitConfiguration = 78;

// Platforms kill a container after 30 s; what is left at 25 is worth a name in the log.
const defaultStopSeconds = 25;

/**
 * Runs one process. `read` reads its environment (`() => readRelayEnvironment(process.env)`); when that
 * throws an EnvironmentError, all problems are printed and the process exits 78 before it listens. So it does when
 * `main` finds out later, because it took a connection to notice.
 * `main` starts everything and returns: the process then lives until SIGTERM or SIGINT. A one-shot
 * process returns `'finished'` and exits 0. An error out of `main`, or one that nobody caught, exits 1.
 *
 * Stopping aborts `signal`, waits for a `main` that is still starting, and closes `resources` in
 * reverse order. After `stopSeconds` it logs what still hangs and exits 1.
 *
 * Long because its small functions share the state of one process: starting, running, stopping.
 */
export async function runProcess<
  Environment extends {
    logLevel: LogLevel;
    logAddresses: LogAddresses;
    warnings?: readonly Finding[];
  },
>(
  name: ProcessName,
  read: () => Environment,
  // biome-ignore lint/suspicious/noConfusingVoidType: a main that only starts things returns nothing
  main: (running: Running<Environment>) => Promise<'finished' | void>,
  { stopSeconds = defaultStopSeconds }: { stopSeconds?: number } = {},
): Promise<void> {
  const environment = readOrExit(read);
  const log = openLog(name, environment.logLevel, { addresses: environment.logAddresses });
  for (const { variable, problem, shape, fix } of environment.warnings ?? []) {
    log.warn({ event: 'setting', variable, shape, fix }, `${variable} ${problem}`);
  }
  const resources = new TracedStack();
  const stopping = new AbortController();
  let isStopping = false;

  process.on('unhandledRejection', (error) => dieOf(error, 'Unhandled promise rejection'));
  process.on('uncaughtException', (error) => dieOf(error, 'Uncaught exception'));
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  const started = start();
  await started;

  async function start(): Promise<void> {
    try {
      const outcome = await main({ environment, log, resources, signal: stopping.signal });
      if (outcome === 'finished') return void stop(0);
      tidyAfterStart();
    } catch (error) {
      // Told to stop while starting: whatever gave up did so because we asked.
      if (stopping.signal.aborted) return;
      if (error instanceof EnvironmentError) {
        log.fatal({ problems: error.problems }, error.message);
        return void stop(exitConfiguration);
      }
      log.fatal({ err: error }, 'Could not start');
      void stop(1);
    }
  }

  function onSignal(signal: NodeJS.Signals): void {
    if (isStopping) {
      log.info({ signal }, 'Already stopping');
      return;
    }
    log.info({ signal }, 'Stopping');
    void stop(0);
  }

  async function stop(exitCode: number): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    // Keeps the process alive as well: without it Node would end with 13 if a resource waits for nothing.
    setTimeout(() => {
      log.fatal(
        { hanging: resources.closing ?? 'the start' },
        `Not stopped after ${stopSeconds} s, giving up`,
      );
      process.exit(1);
    }, stopSeconds * 1000);

    stopping.abort(new Error('The process is stopping'));
    try {
      if (exitCode === 0) await started;
      await resources.disposeAsync();
    } catch (error) {
      log.error({ err: error }, 'A resource did not close cleanly');
      exitCode = 1;
    }
    log.info('Stopped');
    process.exit(exitCode);
  }

  // Nothing is known about the state any more. What was promised is in the database; a fresh process resumes it.
  function dieOf(error: unknown, message: string): void {
    log.fatal({ err: error }, message);
    process.exit(1);
  }
}

function readOrExit<Environment>(read: () => Environment): Environment {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    // Not console.error: a pipe may still hold the text when the process exits.
    writeSync(2, `${error.message}\n`);
    process.exit(exitConfiguration);
  }
}

/** Remembers where each resource was opened, so that one that hangs while closing can be named. */
class TracedStack extends AsyncDisposableStack {
  /** The source line that opened what is being closed right now. */
  closing: string | undefined;

  override use<T extends AsyncDisposable | Disposable | null | undefined>(resource: T): T {
    if (resource == null) return resource;
    this.#push(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
    });
    return resource;
  }

  override adopt<T>(resource: T, close: (resource: T) => PromiseLike<void> | void): T {
    this.#push(async () => close(resource));
    return resource;
  }

  override defer(close: () => PromiseLike<void> | void): void {
    this.#push(async () => close());
  }

  #push(close: () => Promise<void>): void {
    const openedAt = callerOf(new Error().stack ?? '');
    super.defer(async () => {
      this.closing = openedAt;
      await close();
    });
  }
}

/** `Error`, #push, use/adopt/defer, and then the line we want: `relay/main.ts:31:13`. */
function callerOf(stack: string): string {
  const line = stack.split('\n')[3]?.trim() ?? '';
  return `what was opened ${line.replace(/file:\/\/\S*?\/(?=[^/]+\/[^/]+$)/, '')}`;
}

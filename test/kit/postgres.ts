// The one PostgreSQL server of a test run: the one we are told to use, a container, or an embedded one.
import { dockerEngine } from './docker.ts';
import { startEmbeddedPostgres } from './embedded.ts';

export type PostgresServer = AsyncDisposable & {
  /** The maintenance database, as a role that may create databases. */
  readonly url: string;
  /** Where it came from, for the first line of a test run. */
  readonly origin: string;
};

type Wishes = {
  /** TEST_DATABASE_URL: a server that is already there and stays. */
  readonly url?: string | undefined;
  /** TEST_DATABASE: `docker` or `embedded`; otherwise the first of them that works. */
  readonly kind?: string | undefined;
  /** TEST_FSYNC: `off` for machines with slow disks. */
  readonly fsync?: string | undefined;
};

const image = 'postgres:17-trixie';

/** The variables a developer may set to choose the server. */
export const wishesOf = (environment: NodeJS.ProcessEnv): Wishes => ({
  url: environment.TEST_DATABASE_URL,
  kind: environment.TEST_DATABASE,
  fsync: environment.TEST_FSYNC,
});

/**
 * Starts or adopts a server; disposing ends it, unless it was given.
 *
 * An engine that answers may still be unable to start the image (no registry, say). Then the embedded server
 * is as good, unless a container was asked for by name.
 */
export async function startPostgres({ url, kind, fsync }: Wishes = {}): Promise<PostgresServer> {
  if (url) return { url, origin: 'TEST_DATABASE_URL', [Symbol.asyncDispose]: async () => {} };
  if (kind && kind !== 'docker' && kind !== 'embedded') {
    throw new Error(`TEST_DATABASE is docker or embedded, not ${JSON.stringify(kind)}`);
  }
  let reason = 'asked for';
  if (kind !== 'embedded') {
    const engine = await dockerEngine();
    if (engine.answers || kind === 'docker') {
      try {
        return await startContainer();
      } catch (error) {
        if (kind === 'docker') throw error;
        reason = `Docker answers, but ${image} does not start: ${String(error).split('\n')[0]}`;
      }
    } else {
      reason = engine.reason;
    }
  }
  const embedded = await startEmbeddedPostgres({ fsync: fsync !== 'off' });
  return {
    url: embedded.url,
    origin: `embedded (${reason})`,
    [Symbol.asyncDispose]: () => embedded[Symbol.asyncDispose](),
  };
}

async function startContainer(): Promise<PostgresServer> {
  // Imported here: loading the library takes most of a second, which runs without Docker should not pay.
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(image)
    .withEnvironment({ POSTGRES_PASSWORD: 'container' })
    .withCommand(['postgres', '-c', 'max_connections=300'])
    .withTmpFs({ '/var/lib/postgresql/data': 'rw' })
    .withExposedPorts(5432)
    // The image starts the server twice: once to initialise it, then for good.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .withStartupTimeout(60_000)
    .start();
  const address = `${container.getHost()}:${container.getMappedPort(5432)}`;
  return {
    url: `postgres://postgres:container@${address}/postgres`,
    origin: `container ${image}`,
    [Symbol.asyncDispose]: async () => {
      await container.stop();
    },
  };
}

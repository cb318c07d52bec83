// All of Postern for one test: a database of its own, a provider, and our processes as real processes.
//
//   await using stack = await startStack({ relay: { SMTP_TIMEOUT: '2' } });
//   const { body } = await stack.api.post('/api/customers', { name: 'Ann', email: 'ann@example.com', … });
//   await until(() => stack.provider.messages.length);
//   stack.relay.process.kill('SIGKILL');
//   await stack.relay.start();
import { randomBytes } from 'node:crypto';
import { freshDatabase, type Template, type TestDatabase, urlOfProcess } from './database.ts';
import { freePort } from './ports.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { type Mode, type Provider, type ProviderWishes, startProvider } from './provider.ts';
import { sawAnswer } from './secrets.ts';

type ProcessName = 'api' | 'relay' | 'worker';

type Variables = Readonly<Record<string, string>>;

export type StackWishes = {
  /** A provider that runs already, wishes for a new one, or false for a relay that is not configured. */
  readonly provider?: Provider | ProviderWishes | false;
  /** The provider's port to try first; the other one is the failover. */
  readonly mode?: Mode;
  /** Variables on top of the usual ones; a blank one counts as missing. */
  readonly api?: Variables;
  readonly relay?: Variables;
  readonly worker?: Variables;
  /** Which processes to start at once, all by default; the others can be started later. */
  readonly processes?: readonly ProcessName[];
  readonly apis?: number;
  readonly relays?: number;
  readonly workers?: number;
  /** A database that is there already, such as that of `ownPostgres()`. */
  readonly database?: Pick<TestDatabase, 'url' | 'query'>;
  /** Outside vitest: where to clone the database from. */
  readonly template?: Template;
};

/** One place for a process: its ports and environment stay the same when it is started again. */
type Slot = {
  readonly name: ProcessName;
  /** Where it speaks HTTP or SMTP; of the worker its health port. */
  readonly port: number;
  /** Where /livez, /readyz and /metrics are. */
  readonly healthUrl: string;
  /** The one that was started last; asking before the first start is a mistake of the test. */
  readonly process: RunningProcess;
  /** What all its lives wrote. */
  readonly output: string;
  /**
   * Starts it, again if it has ended, with `environment` on top; resolves when it is ready.
   *
   * @param directory the checkout it is started from, this one by default
   */
  start(environment?: Variables, directory?: string): Promise<RunningProcess>;
};

type ApiAnswer = {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, text otherwise. */
  // biome-ignore lint/suspicious/noExplicitAny: tests assert its shape, that is what they are for
  readonly body: any;
};

type ApiWishes = {
  readonly headers?: Variables;
  /** Another key than the stack's own; null for none. */
  readonly key?: string | null;
};

type Api = {
  readonly url: string;
  readonly key: string;
  get(path: string, wishes?: ApiWishes): Promise<ApiAnswer>;
  /** A string as body is sent as it is, anything else as JSON. */
  post(path: string, body?: unknown, wishes?: ApiWishes): Promise<ApiAnswer>;
  put(path: string, body?: unknown, wishes?: ApiWishes): Promise<ApiAnswer>;
  patch(path: string, body?: unknown, wishes?: ApiWishes): Promise<ApiAnswer>;
  delete(path: string, wishes?: ApiWishes): Promise<ApiAnswer>;
};

export type Stack = AsyncDisposable & {
  readonly database: Pick<TestDatabase, 'url' | 'query'>;
  /** Fails when the stack was started without one. */
  readonly provider: Provider;
  readonly api: Api & Slot;
  readonly relay: Slot & {
    /** Postern's own submission account, and another application's (RELAY_USERS). */
    readonly user: string;
    readonly password: string;
    readonly application: { readonly user: string; readonly password: string };
  };
  readonly worker: Slot;
  /** All of each kind; the first is the one above. */
  readonly apis: readonly (Api & Slot)[];
  readonly relays: readonly Slot[];
  readonly workers: readonly Slot[];
  /** What all processes wrote so far, for failure messages. */
  readonly output: string;
};

/** Starts everything that is wished for; disposing stops the processes, then provider and database. */
export async function startStack(wishes: StackWishes = {}): Promise<Stack> {
  const resources = new AsyncDisposableStack();
  try {
    return await arrange(wishes, resources);
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

async function arrange(wishes: StackWishes, resources: AsyncDisposableStack): Promise<Stack> {
  const database = wishes.database ?? resources.use(await freshDatabase(wishes.template));
  const provider = await providerFor(wishes, resources);
  const secret = { api: invent(), relay: invent(), application: invent() };
  const relayPorts = await freePorts(wishes.relays);
  const relayHealthPorts = await freePorts(wishes.relays);
  const workerPorts = await freePorts(wishes.workers);
  const handOver = {
    RELAY_HOST: '127.0.0.1',
    RELAY_PORT: String(relayPorts[0]),
    RELAY_HEALTH_PORT: String(relayHealthPorts[0]),
    WORKER_HOST: '127.0.0.1',
    WORKER_HEALTH_PORT: String(workerPorts[0]),
    RELAY_USER: 'postern',
    RELAY_PASSWORD: secret.relay,
    SMTP_FROM_EMAIL: provider?.user ?? '',
  };

  const slot = (name: ProcessName, port: number, healthPort: number, own: Variables): Slot =>
    createSlot(
      name,
      { port, healthPort, resources },
      {
        DATABASE_URL: urlOfProcess(database.url, name),
        LOG_LEVEL: 'debug',
        LOG_ADDRESSES: 'full',
        ...handOver,
        ...own,
        ...wishes[name],
      },
    );
  const relays = relayHealthPorts.map((healthPort, i) => {
    const port = relayPorts[i] as number;
    return slot('relay', port, healthPort, {
      ...provider?.environment(wishes.mode),
      RELAY_PORT: String(port),
      RELAY_BIND: '127.0.0.1',
      RELAY_HEALTH_PORT: String(healthPort),
      RELAY_USERS: `application:${secret.application}`,
    });
  });
  const workers = workerPorts.map((healthPort) =>
    slot('worker', healthPort, healthPort, { WORKER_HEALTH_PORT: String(healthPort) }),
  );
  const apis = (await freePorts(wishes.apis)).map((port) => {
    const place = slot('api', port, port, {
      API_PORT: String(port),
      API_BIND: '127.0.0.1',
      API_KEY: secret.api,
      PUBLIC_URL: 'https://app.example.com',
    });
    return Object.assign(place, apiAt(place.healthUrl, secret.api));
  });
  const account = { user: 'postern', password: secret.relay };
  const application = { user: 'application', password: secret.application };
  const stack: Stack = {
    database,
    get provider() {
      if (!provider) throw new Error('this stack has no provider');
      return provider;
    },
    api: first(apis),
    relay: Object.assign(first(relays), { ...account, application }),
    worker: first(workers),
    apis,
    relays,
    workers,
    get output() {
      return [...relays, ...workers, ...apis].map(({ name, output }) => `--- ${name}\n${output}`).join('\n');
    },
    async [Symbol.asyncDispose]() {
      await resources.disposeAsync();
      // Each process has a role of its own (deploy/grants.ts), and would only warn of what is missing there.
      const denied = /^.*permission denied for.*$/m.exec(stack.output);
      if (denied) throw new Error(`deploy/grants.ts lacks something: ${denied[0]}`);
    },
  };

  const wanted = wishes.processes ?? ['relay', 'worker', 'api'];
  const starts = [...relays, ...workers, ...apis].filter(({ name }) => wanted.includes(name));
  // All of them, even when one fails: what is still starting could not be stopped.
  const outcomes = await Promise.allSettled(starts.map((place) => place.start()));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
  return stack;
}

function createSlot(
  name: ProcessName,
  { port, healthPort, resources }: { port: number; healthPort: number; resources: AsyncDisposableStack },
  environment: Variables,
): Slot {
  const healthUrl = `http://127.0.0.1:${healthPort}`;
  const lives: RunningProcess[] = [];
  return {
    name,
    port,
    healthUrl,
    get process() {
      const current = lives.at(-1);
      if (!current) throw new Error(`${name} has not been started`);
      return current;
    },
    get output() {
      return lives.map(({ output }) => output).join('\n');
    },
    async start(more = {}, directory) {
      const current = lives.at(-1);
      if (current && !current.exit) throw new Error(`${name} is still running`);
      const started = await startProcess({
        script: `${name}/main.ts`,
        ...(directory && { directory }),
        environment: { ...environment, ...more },
        readyUrl: `${healthUrl}/readyz`,
      });
      lives.push(resources.use(started));
      return started;
    },
  };
}

async function providerFor(
  { provider = {} }: StackWishes,
  resources: AsyncDisposableStack,
): Promise<Provider | undefined> {
  if (provider === false) return undefined;
  return 'on' in provider ? provider : resources.use(await startProvider(provider));
}

function apiAt(url: string, ownKey: string): Api {
  const ask = async (
    method: string,
    path: string,
    body: unknown,
    wishes: ApiWishes = {},
  ): Promise<ApiAnswer> => {
    const { headers = {}, key = ownKey } = wishes;
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    sawAnswer(`${method} ${path}`, response.status, text);
    const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
  return {
    url,
    key: ownKey,
    get: (path, wishes) => ask('GET', path, undefined, wishes),
    post: (path, body, wishes) => ask('POST', path, body, wishes),
    put: (path, body, wishes) => ask('PUT', path, body, wishes),
    patch: (path, body, wishes) => ask('PATCH', path, body, wishes),
    delete: (path, wishes) => ask('DELETE', path, undefined, wishes),
  };
}

const invent = () => randomBytes(16).toString('hex');

const freePorts = (count = 1) => Promise.all(Array.from({ length: count }, () => freePort()));

function first<T>(all: readonly T[]): T {
  const [one] = all;
  if (one === undefined) throw new Error('a stack has at least one process of each kind');
  return one;
}

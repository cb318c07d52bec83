// Haraka beside ours: installed for the run into a folder that is removed afterwards, because nothing else here needs it.
// Takes mail from whoever asks and hands it to one provider; its queue on disk does not wait for the disk.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../kit/ports.ts';
import { until } from '../kit/until.ts';
import { canConnect } from './reachable.ts';

const run = promisify(execFile);
const installMs = 90_000;

export type Haraka = AsyncDisposable & { readonly port: number };

const manifest = {
  private: true,
  dependencies: { Haraka: '3.3.4' },
  // What its MIME parser asks for is not on every mirror.
  overrides: { 'encoding-japanese': '2.2.0', libqp: '2.1.1' },
};

/**
 * @param relayTo where it hands mail on
 * @returns a sentence when it cannot be had
 */
export async function startHaraka(relayTo: number): Promise<Haraka | string> {
  const home = await mkdtemp(join(tmpdir(), 'postern-bench-haraka-'));
  const remove = () => rm(home, { recursive: true, force: true });
  try {
    await writeFile(join(home, 'package.json'), JSON.stringify(manifest));
    await run('npm', ['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: home,
      timeout: installMs,
    });
  } catch (error) {
    await remove();
    const words = String((error as { stderr?: unknown }).stderr || error);
    return `Haraka could not be installed: ${/^npm error (?!code).*/m.exec(words)?.[0] ?? words.slice(0, 200)}`;
  }

  const port = await freePort();
  const instance = join(home, 'instance');
  for (const name of ['config', 'plugins', 'queue']) await mkdir(join(instance, name), { recursive: true });
  const files = {
    'config/smtp.ini': `listen=127.0.0.1:${port}\nnodes=cpus\n`,
    'config/outbound.ini': 'enable_tls=false\nlocal_mx_ok=true\ninet_prefer=v4\n',
    'config/log.ini': '[main]\nlevel=error\n',
    'config/plugins': 'bench\n',
    'config/me': 'bench.example.com\n',
    'plugins/bench.js': `
      exports.hook_connect = (next, connection) => { connection.relaying = true; next(); };
      exports.hook_mail = exports.hook_rcpt = (next) => next(OK);
      exports.hook_get_mx = (next) => next(OK, { priority: 0, exchange: '127.0.0.1', port: ${relayTo} });`,
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(instance, name), content);
  // Without its own file it finds no greeting, and hangs up.
  const sample = 'config/connection.ini';
  await copyFile(join(home, 'node_modules/Haraka', sample), join(instance, sample));

  const child = spawn(process.execPath, [join(home, 'node_modules/Haraka/bin/haraka'), '-c', instance], {
    stdio: 'ignore',
  });
  const lastResort = () => {
    child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  };
  process.once('exit', lastResort);
  const stop = async () => {
    process.off('exit', lastResort);
    const gone = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await gone;
    await remove();
  };
  try {
    await until(() => child.exitCode !== null || canConnect(port), { what: 'Haraka to listen' });
  } catch {
    await stop();
    return 'Haraka does not listen';
  }
  if (child.exitCode !== null) {
    await stop();
    return `Haraka ended with ${child.exitCode}`;
  }
  return { port, [Symbol.asyncDispose]: stop };
}

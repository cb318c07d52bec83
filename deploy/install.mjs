// Installs the locked dependencies when they are missing or older than the lock file.
// Plain JavaScript on purpose: it is the one file that runs before the pinned Node exists.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = join(root, 'node_modules', '.package-lock.json');
const locked = join(root, 'package-lock.json');

const isCurrent = existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs;
if (!isCurrent) {
  console.error('Installing the locked dependencies (npm ci) …');
  const words = ['ci', '--no-fund', '--no-audit', '--loglevel=error'];
  // The npm that runs us, where it does: on Windows `npm` is a batch file, which Node starts only through a shell.
  const npm = process.env.npm_execpath;
  const [program, given] = npm?.endsWith('.js') ? [process.execPath, [npm, ...words]] : ['npm', words];
  const { status } = spawnSync(program, given, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && program === 'npm',
  });
  if (status !== 0) {
    console.error('npm ci failed; the lines above say why. Nothing was started.');
    process.exit(status ?? 1);
  }
}

// The release before this checkout, from the history of this repository: what people upgrade from. Every release is
// tested against it. `npm run release` names the new one here, so that what comes after is tested against that.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

const previous = { version: '0.1.0', revision: 'd7acf8fd170785ac829dde0a978f0982327fbe9e' };

export type PreviousRelease = AsyncDisposable & {
  readonly version: string;
  /** Its files; disposing removes them. */
  readonly directory: string;
};

/** @returns undefined in a clone without its commit, which a line says */
export async function previousRelease(): Promise<PreviousRelease | undefined> {
  const { version, revision } = previous;
  try {
    await run('git', ['cat-file', '-e', `${revision}^{commit}`], { cwd: root });
  } catch {
    console.info(`Skipping the upgrade from ${version}: its commit is not in this clone.`);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), `postern-${version}-`));
  const archive = join(directory, 'release.tar');
  await run('git', ['archive', '--output', archive, revision], { cwd: root });
  await run('tar', ['-xf', archive, '-C', directory]);
  await rm(archive);
  return {
    version,
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** What its processes import: our own packages where they are the same, otherwise those of its lock file. */
export async function installPackages({ directory }: PreviousRelease): Promise<void> {
  const { dependencies } = await readPackage<{ dependencies: Record<string, string> }>(directory);
  const differs = await Promise.all(
    Object.entries(dependencies).map(async ([name, wanted]) => {
      const found = await readPackage<{ version: string }>(join(root, 'node_modules', name)).catch(() => {});
      return found?.version !== wanted;
    }),
  );
  if (!differs.includes(true)) await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  else await run('npm', ['ci', '--omit=dev', '--ignore-scripts'], { cwd: directory });
}

const readPackage = async <T>(folder: string) =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as T;

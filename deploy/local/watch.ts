// `npm run dev`: which processes run the code of a changed file, and watching for such changes.
import { watch } from 'node:fs';
import { join } from 'node:path';

export type Watched = 'api' | 'relay' | 'worker' | 'stand-in';

// What each process may import, by the table in test/kit/architecture.ts.
const folders: Readonly<Record<Watched, readonly string[]>> = {
  api: ['api/', 'relay/client/', 'deploy/'],
  relay: ['relay/', 'deploy/'],
  worker: ['worker/', 'relay/client/', 'deploy/'],
  'stand-in': ['relay/stand-in/'],
};

/** Parts of these folders that only their own process runs, or that no running process reads. */
const notShared: readonly { readonly folder: string; readonly runs: readonly Watched[] }[] = [
  { folder: 'relay/stand-in/', runs: ['stand-in'] },
  // The local run itself and migrations: they run once, at the start.
  { folder: 'deploy/local', runs: [] },
  { folder: 'deploy/migrations/', runs: [] },
];

// Markdown is read for every page of the manual; editors leave files with other endings.
const isSource = /\.(?:ts|mjs|js|json|css|svg)$/;

/** @param path from the root of the checkout, with slashes */
export function processesOf(path: string): readonly Watched[] {
  if (!isSource.test(path)) return [];
  const exception = notShared.find(({ folder }) => path.startsWith(folder));
  if (exception) return exception.runs;
  return (Object.keys(folders) as Watched[]).filter((name) =>
    folders[name].some((folder) => path.startsWith(folder)),
  );
}

/** Calls `onChange` for every process that a change concerns. One save may be reported several times. */
export function watchSources(root: string, onChange: (name: Watched, path: string) => void): Disposable {
  const watchers = ['api', 'relay', 'worker', 'deploy'].map((room) =>
    watch(join(root, room), { recursive: true }, (_, changed) => {
      if (changed === null) return;
      const path = `${room}/${changed.replaceAll('\\', '/')}`;
      for (const name of processesOf(path)) onChange(name, path);
    }),
  );
  return {
    [Symbol.dispose]() {
      for (const watcher of watchers) watcher.close();
    },
  };
}

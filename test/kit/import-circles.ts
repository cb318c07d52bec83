// Circles of imports, those of types included: none of the files in one can be understood, or moved, without the others.
import { posix } from 'node:path';
import { type Files, importsOf } from './architecture.ts';

/**
 * One shortest way round for every circle: `a.ts → b.ts → a.ts`.
 *
 * @param exceptions circles that somebody is cutting; one that is not there is reported as well
 */
export function circleTrespasses(files: Files, exceptions: readonly string[] = []): string[] {
  const imports = new Map(
    [...files].map(([file, text]) => [
      file,
      importsOf(text)
        .filter((target) => target.startsWith('.'))
        .map((target) => posix.join(posix.dirname(file), target))
        .filter((target) => files.has(target)),
    ]),
  );
  const circles = new Map<string, string>();
  for (const file of [...files.keys()].sort()) {
    const way = wayBack(file, imports);
    if (!way) continue;
    const key = [...way].sort().join(' ');
    if (!circles.has(key)) circles.set(key, [...way, way[0]].join(' → '));
  }
  const found = [...circles.values()];
  return [
    ...found.filter((circle) => !exceptions.includes(circle)),
    ...exceptions
      .filter((circle) => !found.includes(circle))
      .map((circle) => `${circle} is an exception that is not needed`),
  ];
}

/** The files of the shortest way from a file back to itself. */
function wayBack(start: string, imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const next = [start];
  for (const file of next) {
    for (const target of imports.get(file) ?? []) {
      if (target === start) return trace(file, start, cameFrom);
      if (cameFrom.has(target)) continue;
      cameFrom.set(target, file);
      next.push(target);
    }
  }
  return undefined;
}

function trace(from: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const way = [from];
  for (let file = from; file !== start; ) {
    file = cameFrom.get(file) as string;
    way.unshift(file);
  }
  return way;
}

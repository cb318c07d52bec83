// Rules R1 to R11 of a template: the comment lines at its top, which Coolify's catalogue is made from.
import type { Fault, Template } from './template.ts';

const known = new Set([
  ...['documentation', 'slogan', 'category', 'tags', 'logo', 'port'],
  ...['minversion', 'ignore', 'env_file', 'amd_only', 'arm_only'],
]);

/** @param exists whether a file stands beside the template */
export function checkHeader({ lines }: Template, exists: (path: string) => boolean): Fault[] {
  const faults: Fault[] = [];
  const complain = (rule: string, problem: string) => faults.push({ rule, problem });

  // Services.php reads every comment in column 0 of the whole file; of two with one key the last counts.
  const header = new Map<string, string>();
  for (const line of lines) {
    const [, key, value] = /^#\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    if (!known.has(key)) complain('header-key', `"${key}" is no header; ordinary comments are indented`);
    else if (header.has(key)) complain('header-twice', `${key} stands there twice and the last one counts`);
    header.set(key, value);
  }

  for (const key of ['documentation', 'slogan', 'category', 'tags', 'logo', 'port']) {
    if (!header.get(key)) complain('header-missing', `${key} is missing`);
  }
  // It is made longer by "?utm_source=…" as a text.
  if (/[?#]/.test(header.get('documentation') ?? '')) {
    complain('header-documentation', 'the address may have no query and no fragment');
  }
  if (/\s/.test(header.get('category') ?? '')) complain('header-category', 'a category is one word');
  const port = header.get('port') ?? '';
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    complain('header-port', `"${port}" is not one port`);
  }
  const logo = header.get('logo') ?? '';
  if (!/^svgs\/[\w-]+\.(?:svg|webp|png)$/.test(logo) || !exists(logo)) {
    complain('header-logo', `there is no ${logo}`);
  }
  return faults;
}

// Writes the list of variables into deploy/README.md: `node deploy/variables-page.ts`. A test says when that is due.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Variable, variableTable } from './variables.ts';

const begin = '<!-- variables: written by node deploy/variables-page.ts -->';
const end = '<!-- end of variables -->';

/** The page with its list of variables as the table of variables has it now. */
export function withVariables(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The page needs the lines ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${variablesPage()}\n\n${page.slice(to)}`;
}

function variablesPage(): string {
  const groups = Map.groupBy(Object.entries(variableTable), ([, { group }]) => group);
  return [...groups].map(([group, entries]) => section(group, entries)).join('\n\n');
}

function section(group: Variable['group'], entries: readonly [string, Variable][]): string {
  if (group === 'Second provider') {
    return `**${group}.** The block of the provider again, with \`SMTP2_\` in front: ${names(entries)}.`;
  }
  const rows = entries.map(
    ([name, variable]) =>
      `| ${nameOf(name, variable)} | ${defaultOf(variable)} | ${variable.readBy.join(', ')} | ${cell(variable.help)} |`,
  );
  return [`**${group}**`, '', '| Variable | Default | Read by | |', '|---|---|---|---|', ...rows].join('\n');
}

const names = (entries: readonly [string, Variable][]) => entries.map(([name]) => `\`${name}\``).join(', ');

const nameOf = (name: string, { aliases = [], secret }: Variable) =>
  [`\`${name}\``, ...aliases.map((alias) => `or \`${alias}\``), ...(secret ? ['(secret)'] : [])].join(' ');

const defaultOf = ({ default: value, required }: Variable) =>
  value !== undefined ? `\`${value}\`` : required ? 'required' : '–';

/** A bar would end the cell. */
const cell = (text: string) => text.replaceAll('|', '\\|');

if (import.meta.main) {
  const file = join(import.meta.dirname, 'README.md');
  writeFileSync(file, withVariables(readFileSync(file, 'utf8')));
}

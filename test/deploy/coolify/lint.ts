// All that can be known to be wrong with a Coolify template before anybody deploys it.
// The rules are those of Coolify 4.3's source; the names in `rule` are ours.
import { checkEnvironment } from './environment-rules.ts';
import { checkHeader } from './header-rules.ts';
import { checkServices } from './service-rules.ts';
import { type Fault, readTemplate } from './template.ts';

/** An empty list is a template that Coolify shows, asks for and deploys as it was meant. */
export function lintTemplate(
  text: string,
  { version, exists }: { version: string; exists: (path: string) => boolean },
): Fault[] {
  const faults: Fault[] = [];
  if (text.includes('\t')) faults.push({ rule: 'yaml-tab', problem: 'there is a tab in it' });
  if (!text.endsWith('\n')) faults.push({ rule: 'final-newline', problem: 'the last line has no end' });
  const { template, faults: unreadable } = readTemplate(text);
  if (!template) return [...faults, ...unreadable];
  return [
    ...faults,
    ...checkHeader(template, exists),
    ...checkServices(template, version),
    ...checkEnvironment(template),
  ];
}

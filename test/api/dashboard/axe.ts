// What axe finds wrong with a page, and what is too small to be pressed.
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { smallTargetsOf } from './targets.ts';

export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    // Also 24 px for whatever is pressed (WCAG 2.2), which axe leaves out by itself and does not know of all elements.
    "axe.run(document, { iframes: false, rules: { 'target-size': { enabled: true } } })",
  )) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  const small = (await smallTargetsOf(page)).map((each) => `too small to press: ${each}`);
  const faults = violations.map(
    ({ id, impact, nodes }) =>
      `${impact} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`,
  );
  return [...faults, ...small];
}

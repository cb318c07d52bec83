// What axe finds wrong with a page, and what cannot be pressed well.
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { badTargetsOf } from './targets.ts';

export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    // Also 24 px for whatever is pressed (WCAG 2.2), which axe leaves out by itself and does not know of all elements.
    "axe.run(document, { iframes: false, rules: { 'target-size': { enabled: true } } })",
  )) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  const targets = (await badTargetsOf(page)).map((each) => `cannot be pressed well: ${each}`);
  const faults = violations.map(
    ({ id, impact, nodes }) =>
      `${impact} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`,
  );
  return [...faults, ...targets];
}

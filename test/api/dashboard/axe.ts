// What axe finds wrong with a page.
import axe from 'axe-core';
import type { Page } from 'playwright-core';

export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    // Also 24 px for whatever is pressed (WCAG 2.2), which axe leaves out by itself.
    "axe.run(document, { iframes: false, rules: { 'target-size': { enabled: true } } })",
  )) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.map(
    ({ id, impact, nodes }) =>
      `${impact} ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n')}`,
  );
}

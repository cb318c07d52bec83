// Replies that no rule knows, from the provider's mouth to the page Diagnosis: masked, counted, copied as one report,
// and readable on a telephone and in the dark.
import axe from 'axe-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Moment } from '../../kit/provider.ts';
import { type Stack, startStack } from '../../kit/stack.ts';
import { until } from '../../kit/until.ts';
import { adminPassword, hasChromium, openBrowser, openPage, signIn, type Watched } from './chromium.ts';

const isTo =
  (name: string) =>
  ({ recipient }: Moment) =>
    recipient === `${name}@example.org`;

const strangers = ['ann', 'bob', 'cid'];
const zorp = '550 5.9.9 Zorp <id> frobnicated <address> at <host> [<ip>]';

const overlapping = `[...document.querySelectorAll('[aria-label="Unknown replies"] tr')]
  .filter(({ cells: [first, second] }) => {
    const [a, b] = [first.getBoundingClientRect(), second.getBoundingClientRect()];
    return a.right > b.left + 1 && a.bottom > b.top + 1 && a.width > 0;
  })
  .map(({ innerText }) => innerText)`;

describe.skipIf(!hasChromium)('replies that no rule knows', () => {
  let stack: Stack;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    [stack, browser] = await Promise.all([
      startStack({ api: { ADMIN_PASSWORD: adminPassword } }),
      openBrowser(),
    ]);
    for (const [n, name] of strangers.entries()) {
      const said = `550 5.9.9 Zorp 47${n}1abcd frobnicated <${name}@example.org> at mx${n}.example.net [192.0.2.${n}]`;
      stack.provider.on('rcpt', said, { when: isTo(name) });
    }
    stack.provider.on('rcpt', `554 <b onmouseover=alert(1)>Quux</b> ${'w'.repeat(400)}`, {
      when: isTo('dan'),
    });
    await refuse(...strangers, 'dan');
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await stack?.[Symbol.asyncDispose]();
  });

  async function refuse(...names: readonly string[]): Promise<void> {
    const ids = await Promise.all(
      names.map(async (name) => {
        const mail = { to: [`${name}@example.org`], subject: 'Hello', text: 'Hello' };
        return (await stack.api.post('/api/v1/emails', mail)).body.id as string;
      }),
    );
    for (const id of ids)
      await until(async () => (await stack.api.get(`/api/v1/emails/${id}`)).body.status === 'bounced', {
        what: 'the refusal',
        timeoutMs: 20_000,
      });
  }

  const lookAt = async (wishes: Parameters<typeof openPage>[1] = {}, script = ''): Promise<Watched> => {
    const page = await openPage(browser, wishes);
    await page.addInitScript(script);
    await signIn(page, stack.api.url, '/diagnosis');
    await list(page).waitFor();
    return page;
  };
  const list = (page: Watched) => page.getByRole('region', { name: 'Unknown replies' });

  test('the list tells the words, what they were taken for and how often, and nothing of a person', async () => {
    const page = await lookAt();
    const told = await list(page).innerText();
    expect(told).toContain(`${zorp}\nTaken for: Recipient refused, last seen`);
    expect(told).toContain('3 times');
    expect(told).toContain('554 <b onmouseover=alert(1)>Quux</b>');
    expect(told).not.toMatch(/example\.|192\.0\.2/);
    expect(page.complaints).toEqual([]);
    await page.context().close();
  });

  test.each([1_280, 360])('%i pixels wide it fits, and in the dark too', async (width) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await lookAt({ colorScheme, viewport: { width, height: 800 } });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await page.evaluate(overlapping)).toEqual([]);
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run("section[aria-label=\'Unknown replies\']")')) as {
        violations: { id: string }[];
      };
      expect(violations.map(({ id }) => id)).toEqual([]);
      await page.context().close();
    }
  });

  // Over plain HTTP on another name than localhost a browser has no clipboard for pages. First, while it is empty.
  test.each([
    ['over plain HTTP', 'Object.defineProperty(navigator, "clipboard", { value: undefined })'],
    ['with a clipboard', ''],
  ])('%s "Copy for a report" copies every reply with its count and cause', async (_, script) => {
    const page = await lookAt({ permissions: ['clipboard-read', 'clipboard-write'] }, script);
    await list(page).getByRole('button', { name: 'Copy for a report' }).click();
    await list(page).getByRole('button', { name: 'Copied', exact: true }).waitFor();
    const field = page.getByRole('textbox', { name: /^To/ });
    // A field of one line: what is pasted loses its line ends.
    await field.focus();
    await page.keyboard.press('Control+V');
    const pasted = await field.inputValue();
    expect(pasted).toContain(`3 x recipient-refused: ${zorp}`);
    expect(pasted).toContain('1 x recipient-refused: 554 <b onmouseover=alert(1)>Quux</b>');
    await page.context().close();
  });

  test('a reply that comes meanwhile stands there without a reload', async () => {
    const page = await lookAt();
    stack.provider.on('rcpt', '550 Blorb', { when: isTo('eve') });
    await refuse('eve');
    await list(page).getByText('550 Blorb').waitFor();
    await page.context().close();
  });
});

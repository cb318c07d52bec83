// What cannot be pressed well: what is out of sight, beside the page or cut off by what it stands in, and what is too small.
// At least 24 × 24 px (WCAG 2.2, 2.5.8), or with one of the exceptions
// given there: it stands in a sentence, or a circle of 24 px around its middle touches nothing else that can be pressed.
import type { Page } from 'playwright-core';

export const badTargetsOf = (page: Page): Promise<string[]> => page.evaluate<string[]>(measure);

const measure = `(() => {
  const least = 24;
  const all = [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [role=tab], [role=button], [tabindex="0"]')]
    .filter((each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
      !each.matches('input[type=hidden], pre, .skip') && (!document.querySelector('dialog[open]') || each.closest('dialog[open]')))
    .map((element) => {
      // A label is pressed as well as its field.
      const boxes = [element, ...(element.labels ?? [])].map((each) => each.getBoundingClientRect());
      const box = boxes.reduce((one, other) => (one.width * one.height >= other.width * other.height ? one : other));
      return { element, box };
    })
    .filter(({ box }) => box.width > 0 && box.height > 0);
  // Rounding of the layout makes 23.99 of 24.
  const isSmall = ({ box }) => Math.min(box.width, box.height) < least - 0.1;
  const middle = (box) => [box.left + box.width / 2, box.top + box.height / 2];
  const isInSentence = ({ element }) => {
    if (getComputedStyle(element).display !== 'inline') return false;
    let block = element.parentElement;
    while (block && getComputedStyle(block).display.startsWith('inline')) block = block.parentElement;
    return block.textContent.trim().length > element.textContent.trim().length + 1;
  };
  const reaches = (from, to) => {
    const [x, y] = middle(from.box);
    if (isSmall(to)) {
      const [otherX, otherY] = middle(to.box);
      return Math.hypot(x - otherX, y - otherY) < least;
    }
    const nearestX = Math.max(to.box.left, Math.min(x, to.box.right));
    const nearestY = Math.max(to.box.top, Math.min(y, to.box.bottom));
    return Math.hypot(x - nearestX, y - nearestY) < least / 2;
  };
  const isCutOff = ({ element, box }) => {
    const [x] = middle(box);
    if (x < 0 || x > innerWidth) return true;
    for (let around = element.parentElement; around; around = around.parentElement) {
      if (!['hidden', 'clip'].includes(getComputedStyle(around).overflowX)) continue;
      const { left, right } = around.getBoundingClientRect();
      if (x < left || x > right) return true;
    }
    return false;
  };
  const tooSmall = all.filter((target) => isSmall(target) && !isInSentence(target) &&
      all.some((other) => other !== target && !other.element.contains(target.element) && reaches(target, other)))
    .map(({ element, box }) =>
      Math.round(box.width) + ' × ' + Math.round(box.height) + ' px: ' + element.outerHTML.slice(0, 120));
  const cutOff = all.filter(isCutOff).map(({ element }) => 'out of sight: ' + element.outerHTML.slice(0, 120));
  return [...tooSmall, ...cutOff];
})()`;

// What the page deploy/coolify/README.md tells operators about characters, as a function: the tests hold it to what
// a container really receives.

/** Why a value will not arrive as it was typed, or not for certain; empty when it will. */
export function warningsAbout(value: string, { literal }: { literal: boolean }): string[] {
  const warnings: string[] = [];
  const warn = (applies: boolean, words: string) => {
    if (applies) warnings.push(words);
  };
  warn(value !== value.trim(), 'Blanks at its ends are cut off.');
  if (literal) {
    warn(value.includes("'"), "A ' ends a literal value: the stack does not start.");
    warn(value.endsWith('\\'), 'A \\ at its end keeps a literal value open: the stack does not start.');
  } else {
    warn(value.includes('$'), 'A $ begins the name of a variable. Switch on "Is Literal?".');
    warn(/["'\\]/.test(value), 'A quote or \\ gets a \\ in front of it. Switch on "Is Literal?".');
    warn(value.includes(' #'), 'What follows " #" is a comment. Switch on "Is Literal?".');
    warn(value.startsWith('#'), 'A # at its start may begin a comment. Switch on "Is Literal?".');
  }
  return warnings;
}

// Whether a secret could be guessed: too short, or made of what everybody tries first. A hint for people, no proof.

// Longest first, so that a word is not taken for what is left of a longer one.
const usual =
  /postern|password|passwort|passw0rd|administrator|changeme|letmein|welcome|sesame|secret|default|example|bootstrap|qwertyuiop|qwerty|qwertz|asdfgh|iloveyou|dragon|monkey|master|server|admin|local|relay|login|guest|hello|mail|smtp|test|demo|root|user|pass|open|key|api|abc|the/gi;

/** 1234567890123, abcdef, 987654. */
function counts(text: string): boolean {
  const steps = [...text.slice(1)].map((_, at) => (text.charCodeAt(at + 1) - text.charCodeAt(at) + 10) % 10);
  return new Set(steps).size === 1;
}

/** What is wrong with it, in words that tell nothing of it; undefined when nothing is. */
export function whyGuessable(secret: string, { atLeast }: { atLeast: number }): string | undefined {
  if (secret.length < atLeast) return `has fewer than ${atLeast} characters, so it can be guessed`;
  if (new Set(secret).size < 5) return 'repeats a few characters, so it can be guessed';
  const rest = secret.replaceAll(usual, '');
  if (rest.replaceAll(/[\W\d_]/g, '').length < 4 && rest !== secret) {
    return 'consists of common words, so it can be guessed';
  }
  if (counts(secret.toLowerCase())) return 'is a sequence, so it can be guessed';
  return undefined;
}

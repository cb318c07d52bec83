// Much work in steps: whoever has much to do takes a turn before each step, so that everybody else who waits for this
// process, such as whoever asks whether it lives, is answered in between. A step must be short by itself.

/** So much may be done in one round of the event loop; then those who have more to do wait for the next round. */
const roundMs = 15;

let began: number | undefined;
let last: Promise<void> = Promise.resolve();

/**
 * Resolves at once while little was done in this round, and otherwise in a later one, in the order of asking. To be
 * awaited where it is called: whoever asked next is looked at as soon as that step is over.
 */
export function takeTurn(): Promise<void> {
  last = last.then(comeRound);
  return last;
}

function comeRound(): Promise<void> | undefined {
  return isUsedUp() ? new Promise((resolve) => setImmediate(resolve)).then(comeRound) : undefined;
}

function isUsedUp(): boolean {
  if (began !== undefined) return performance.now() - began > roundMs;
  began = performance.now();
  setImmediate(() => {
    began = undefined;
  });
  return false;
}

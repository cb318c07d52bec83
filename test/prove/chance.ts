// Chance that can be repeated: every draw follows from the seed that the run prints.

export type Chance = {
  /** From 0 to 1, 1 excluded. */
  draw(): number;
  happens(probability: number): boolean;
  /** A number from `low` to `high`. */
  between(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
  /** Another stream of chance, so that those who draw at the same time do not change each other's luck. */
  branch(name: string): Chance;
};

export function chanceOf(seed: number): Chance {
  // mulberry32: small, fast, and good enough to kill processes with.
  let state = seed >>> 0;
  const draw = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    draw,
    happens: (probability) => draw() < probability,
    between: (low, high) => low + draw() * (high - low),
    pick: (choices) => {
      const chosen = choices[Math.floor(draw() * choices.length)];
      if (chosen === undefined) throw new RangeError('nothing to choose from');
      return chosen;
    },
    branch: (name) =>
      chanceOf([...name].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16_777_619), seed)),
  };
}

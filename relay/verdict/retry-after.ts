// How long a server asks us to wait, in its own words.

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const asked =
  /\b(?:in|after|for|wait|within|another|retry|expires? in)\b(?: (?:at least|about|approximately|the next|up to|a|next))? ?(\d{1,6}|an?|few|one) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b/;
const clock = /\b(?:in|after|wait)\b ?(\d{1,2}):(\d{2}):(\d{2})\b/;
const header = /\bretry ?after[ =:]*(\d{1,6})\b/;

/** Seconds to wait from normalised words ("try again in 5 minutes"), at most a week; undefined when none are named. */
export function retryAfterSeconds(words: string): number | undefined {
  const time = clock.exec(words);
  if (time !== null) return bounded(Number(time[1]) * 3_600 + Number(time[2]) * 60 + Number(time[3]));
  const span = asked.exec(words);
  if (span !== null) {
    const amount = /^\d/.test(span[1] ?? '') ? Number(span[1]) : span[1] === 'few' ? 5 : 1;
    return bounded(amount * (unitSeconds[span[2]?.[0] ?? ''] ?? 1));
  }
  const bare = header.exec(words);
  return bare === null ? undefined : bounded(Number(bare[1]));
}

function bounded(seconds: number): number | undefined {
  return seconds > 0 && seconds <= 604_800 ? seconds : undefined;
}

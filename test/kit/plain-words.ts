// Phrases that were replaced in errors, logs, the dashboard and the manual because a reader stumbled over them. Add
// what you replace, so that it does not come back.

/** Path from the root of the checkout, with slashes, to the file's text. */
export type Files = ReadonlyMap<string, string>;

const phrases: readonly RegExp[] = [
  /\b(?:[Tt]he|[Aa]ll|[Nn]o|[Mm]any|of|\d|due|these|[Tt]wo|[Tt]hree|scheduled|waiting) mails\b/,
  /there is no such \w+/i,
  /older than the world/,
  /says? that (?:this worker|it) lives|worker lives/,
  /\bits (?:whole )?way\b/i,
  /\bways out\b/i,
  /\bmistakes? of ours\b|on our side/,
  /behind your back/,
  /gave word|without a word/,
  /took responsibility/,
  /its turn has come/,
  /gone for good|refused (?:it )?for good/,
  /looking tells nobody/,
  /closer still/i,
  /clock on the wall/,
  /another door of|at the door/,
  /hangs? up without\b/,
  /\bnobody (?:listened|caught it)\b/,
  /is welcome again/,
  /went away during/,
  /call(?:ed)? (?:a mail )?back\b/i,
  /what became of/i,
  /round and round|in a circle|goes in circles/,
  /\btravel(?:s)? (?:in clear|unencrypted there)/,
  /that nobody filled in|nobody can see/,
  /\b(?:taken|going) all the same\b/,
  /asks? of you\b/,
];

const stringOrComment =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

/** `FILE: PHRASE` for each phrase in the strings of code, and anywhere in other files. */
export function unplainWords(files: Files): string[] {
  return [...files].flatMap(([file, text]) =>
    (/\.[jt]s$/.test(file) ? sentencesOf(text) : [withoutCode(file, text)]).flatMap((words) =>
      phrases.flatMap((phrase) => phrase.exec(words)?.[0] ?? []).map((found) => `${file}: ${found}`),
    ),
  );
}

/** Strings with a blank in them; SQL is for no reader. */
const sentencesOf = (text: string) =>
  [...text.matchAll(stringOrComment)]
    .map(([, quoted]) => quoted)
    .filter((quoted): quoted is string => quoted !== undefined && /\S \S/.test(quoted))
    .filter((quoted) => !/\b(?:select|insert into|update|delete from|where)\b/.test(quoted));

/** Markdown without its code, YAML without its comments. */
const withoutCode = (file: string, text: string) =>
  file.endsWith('.md')
    ? text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')
    : text.replace(/(?:^|\s)#.*$/gm, '');

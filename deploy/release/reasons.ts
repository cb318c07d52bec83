// What must be true of a checkout before it becomes a release, as sentences about what is not.
import { mention, sectionOf } from './edits.ts';

export type Release = {
  readonly version: string;
  /** Texts that name the version, by the name of their file. */
  readonly mentions: Readonly<Record<string, string>>;
  readonly changelog: string;
  /** Newest first, as git names them: v1.2.0 */
  readonly tags: readonly string[];
  /** `git diff --name-status LAST-TAG -- deploy/migrations` */
  readonly migrationChanges: string;
  /** `git status --porcelain` */
  readonly uncommitted: string;
};

/** Sentences; an empty list is a release. */
export function reasonsAgainst(release: Release): string[] {
  return [
    ...checkVersion(release),
    ...checkMentions(release),
    ...checkDocumentation(release),
    ...checkChangelog(release),
    ...checkMigrations(release),
    ...(release.uncommitted.trim() ? ['There are changes that are not committed.'] : []),
  ];
}

function checkVersion({ version, tags }: Release): string[] {
  const parts = (text: string) => /^v?(\d+)\.(\d+)\.(\d+)$/.exec(text)?.slice(1).map(Number);
  const own = parts(version);
  if (!own) return [`"${version}" is not a version of three numbers.`];
  if (tags.includes(`v${version}`))
    return [`v${version} has been released already: raise the version in package.json.`];
  const newer = tags.find((tag) => {
    const other = parts(tag);
    const at = other?.findIndex((part, index) => part !== own[index]) ?? -1;
    return other !== undefined && at >= 0 && (other[at] as number) > (own[at] as number);
  });
  return newer ? [`${newer} is newer than ${version}.`] : [];
}

/** Whoever deploys a template gets the image that it names. */
function checkMentions({ version, mentions }: Release): string[] {
  return Object.entries(mentions).flatMap(([file, text]) => {
    const named = [...text.matchAll(mention)].map(([, , each]) => each);
    const others = new Set(named.filter((each) => each !== version));
    if (named.length === 0) return [`${file} names no version.`];
    return [...others].map((other) => `${file} names ${other}, not ${version}.`);
  });
}

/** Coolify shows this address to everybody who looks at the template; names below .example lead nowhere (RFC 2606). */
function checkDocumentation({ mentions }: Release): string[] {
  return Object.entries(mentions).flatMap(([file, text]) => {
    const [, address] = /^# documentation: (\S+)$/m.exec(text) ?? [];
    if (!address || !/^https?:\/\/[^/]*\.(?:example|test|invalid)(?:\/|$)/.test(address)) return [];
    return [
      `${file} says that the documentation is at ${address}, which is a placeholder: write where it is published.`,
    ];
  });
}

function checkChangelog({ version, changelog }: Release): string[] {
  const section = sectionOf(changelog, version);
  if (section === undefined) return [`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD".`];
  const reasons: string[] = [];
  if (!/^- \S/m.test(section)) reasons.push(`CHANGELOG.md says nothing about ${version}.`);
  if (!/^### Upgrade notes\s+\S/m.test(section)) {
    reasons.push(`CHANGELOG.md has no upgrade notes for ${version}; "None" is one.`);
  }
  if (/^- \S/m.test(sectionOf(changelog, 'Unreleased') ?? '')) {
    reasons.push('CHANGELOG.md still has unreleased entries.');
  }
  return reasons;
}

/** What was released was applied somewhere: it is never touched again. */
function checkMigrations({ migrationChanges }: Release): string[] {
  return migrationChanges
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('A'))
    .map(
      (line) =>
        `A released migration was changed: ${line.split(/\s+/).slice(1).join(' → ')}. Put it into a new one.`,
    );
}

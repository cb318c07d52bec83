// What a release changes in the files that name its version: pure, from text to text.

/** Files that name the version beside package.json, from the root of the repository. */
export const mentioningFiles = [
  'deploy/coolify/postern.yaml',
  'deploy/kubernetes/kustomization.yaml',
  'deploy/README.md',
] as const;

/** An image of ours, its tag in a kustomization, and the build argument, each with its version. */
export const mention = /(postern\/postern:|newTag: |VERSION=)(\d+\.\d+\.\d+)/g;

export const withVersion = (text: string, version: string) => text.replace(mention, `$1${version}`);

/** Where the tests read which release they upgrade from. */
export const previousReleaseFile = 'test/kit/previous-release.ts';

/** What comes after this release is tested against it. */
export const withPreviousRelease = (text: string, version: string) =>
  text.replace(
    /^const previous = .*$/m,
    `const previous = { version: '${version}', revision: 'v${version}' };`,
  );

/** @param date as YYYY-MM-DD */
export function withRelease(changelog: string, version: string, date: string): string {
  return changelog.replace(/^## \[Unreleased\]\n/m, `## [Unreleased]\n\n## [${version}] - ${date}\n`);
}

/** The text below a release's heading, or below `Unreleased`; undefined when there is no such heading. */
export function sectionOf(changelog: string, name: string): string | undefined {
  const sections = changelog.split(/^## /m);
  const date = name === 'Unreleased' ? '' : ' - \\d{4}-\\d{2}-\\d{2}';
  const heading = new RegExp(`^\\[${name.replaceAll('.', '\\.')}\\]${date}\\n`);
  return sections.find((each) => heading.test(each))?.replace(/^.*\n/, '');
}

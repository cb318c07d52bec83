// What of other people's code is in the image: as the lock file says it, as the bill of materials says it, and as it is.

/** `name@version`, sorted, each once. */
export type Packages = readonly string[];

type LockedPackage = {
  version?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
};
export type Lock = { packages: Record<string, LockedPackage> };

/** What `npm ci --omit=dev --omit=optional` installs. */
export function lockedPackages(lock: Lock): Packages {
  return listed(shipped(lock).map(({ name, version }) => `${name}@${version}`));
}

function shipped({ packages }: Lock) {
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path, each]) => ({ ...each, name: path.slice(path.lastIndexOf('node_modules/') + 13) }));
}

/**
 * The bill of materials as CycloneDX 1.6. Not by `npm sbom` 11: with --omit=dev it leaves out what a development
 * package needs as well, 43 of the 210 packages that ship.
 */
export function billOfMaterials(lock: Lock, version: string): object {
  const component = ({ name, version, integrity, license }: ReturnType<typeof shipped>[number]) => {
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
    const [algorithm, digest = ''] = integrity?.split('-') ?? [];
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      purl,
      ...(algorithm === 'sha512'
        ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
        : {}),
      ...(license ? { licenses: [{ expression: license }] } : {}),
    };
  };
  const seen = new Map(shipped(lock).map((each) => [`${each.name}@${each.version}`, component(each)]));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', name: 'postern', version } },
    components: [...seen.values()],
  };
}

/** The npm packages of an SPDX document, as BuildKit attaches it to an image. */
export function spdxPackages(document: {
  packages: { externalRefs?: { referenceLocator: string }[] }[];
}): Packages {
  return listed(
    document.packages
      .flatMap(({ externalRefs = [] }) => externalRefs.map(({ referenceLocator }) => referenceLocator))
      .filter((purl) => purl.startsWith('pkg:npm/'))
      .map((purl) => decodeURIComponent(purl.slice('pkg:npm/'.length).replace(/[?#].*$/, ''))),
  );
}

/** Sentences; an empty list means that both are the same. */
export function differences(wanted: Packages, found: Packages, where: string): string[] {
  return [
    ...wanted.filter((each) => !found.includes(each)).map((each) => `${each} is not in ${where}.`),
    ...found.filter((each) => !wanted.includes(each)).map((each) => `${each} is in ${where} only.`),
  ];
}

export const listed = (names: readonly string[]): Packages => [...new Set(names)].sort();

// Where a zone is edited, told from its name servers, and what is typed there into the field for the name: most panels add
// the domain themselves, so that the whole name ends up doubled (`_dmarc.example.com.example.com`).

type DnsHost = { readonly name: string; readonly where: string };

const byServer: readonly (readonly [suffix: string, DnsHost])[] = [
  ['registrar-servers.com', { name: 'Namecheap', where: 'Domain List, Manage, Advanced DNS' }],
  ['namecheaphosting.com', { name: 'Namecheap hosting', where: 'cPanel, Zone Editor' }],
  ['cloudflare.com', { name: 'Cloudflare', where: 'the domain, DNS, Records; the proxy switched off' }],
  ['domaincontrol.com', { name: 'GoDaddy', where: 'My Products, the domain, DNS' }],
  ['googledomains.com', { name: 'Squarespace Domains', where: 'Domains, the domain, DNS settings' }],
  ['dns-parking.com', { name: 'Hostinger', where: 'hPanel, Domains, the domain, DNS' }],
  ['hetzner.com', { name: 'Hetzner', where: 'DNS Console, the zone' }],
  ['hetzner.de', { name: 'Hetzner', where: 'DNS Console, the zone' }],
  ['digitalocean.com', { name: 'DigitalOcean', where: 'Networking, Domains, the domain' }],
  ['vercel-dns.com', { name: 'Vercel', where: 'Domains, the domain, DNS Records' }],
  ['gandi.net', { name: 'Gandi', where: 'Domain, the domain, DNS Records' }],
  ['ovh.net', { name: 'OVH', where: 'Web Cloud, Domain names, the domain, DNS zone' }],
  ['ui-dns.com', { name: 'IONOS', where: 'Domains & SSL, the domain, DNS' }],
  ['ui-dns.de', { name: 'IONOS', where: 'Domains & SSL, the domain, DNS' }],
  ['porkbun.com', { name: 'Porkbun', where: 'Domain Management, the domain, DNS' }],
  ['dnsimple.com', { name: 'DNSimple', where: 'the domain, DNS' }],
];

/** "Namecheap (Domain List, Manage, Advanced DNS)", or words for a host we do not know. */
export function zoneEditorOf(zone: string, servers: readonly string[]): string {
  const lower = servers.map((server) => server.toLowerCase().replace(/\.$/, ''));
  // Route 53 has its number in the middle: ns-512.awsdns-00.net.
  if (lower.some((server) => /\.awsdns-\d+\./.test(server)))
    return 'Amazon Route 53 (Hosted zones, the domain)';
  const known = byServer.find(([suffix]) => lower.some((server) => server.endsWith(`.${suffix}`)))?.[1];
  if (known) return `${known.name} (${known.where})`;
  return lower.length > 0
    ? `where the zone ${zone} is edited (name server ${lower[0]})`
    : `where the zone ${zone} is edited`;
}

/** What is typed into the field for the name, without the domain that panels add: `@` for the domain itself. */
export function hostField(name: string, zone: string): string {
  if (name === zone) return '@';
  return name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;
}

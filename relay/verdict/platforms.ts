// Which hosting platforms let mail out, and on which ports. Only what a source says; see `source`.

export type Platform = {
  readonly id: string;
  readonly name: string;
  /** Outgoing ports that packets do not leave by. */
  readonly blockedPorts: readonly number[];
  readonly advice: string;
  readonly source?: string;
};

const platforms: readonly (Platform & { readonly alsoCalled: RegExp })[] = [
  {
    id: 'digitalocean',
    name: 'DigitalOcean',
    alsoCalled: /\b(digital ?ocean|droplets?|do support)\b/,
    blockedPorts: [25, 465, 587],
    advice:
      'Droplets block 25, 465 and 587 and support usually refuses to open them. Use a provider that listens on 2525, 2465 or 2587.',
    source: 'docs.digitalocean.com/support/why-is-smtp-blocked, quoted in baptisteArno/typebot.io#2183',
  },
  {
    id: 'hetzner',
    name: 'Hetzner Cloud',
    alsoCalled: /\bhetzner\b/,
    blockedPorts: [25, 465],
    advice:
      '25 and 465 are dropped, 587 is open: set SMTP_PORT=587, or ask for the ports after the first paid invoice.',
    source: 'hetzneronline/community-content#1041; plausible/analytics#3676',
  },
  {
    id: 'render',
    name: 'Render (free instances)',
    alsoCalled: /\brender( free)?\b/,
    blockedPorts: [25, 465, 587],
    advice:
      'Free web services cannot reach 25, 465 and 587 since 2025-09-26. Use any paid instance type, or a provider that listens on 2525.',
    source: 'Render support, quoted in news.lavx.hu; yasslab/sample_apps#102',
  },
  {
    id: 'railway',
    name: 'Railway (Free, Trial and Hobby)',
    alsoCalled: /\brailway\b/,
    blockedPorts: [25, 465, 587, 2525],
    advice: 'SMTP is open on the Pro plan and above only, and only after a redeploy.',
    source: 'railwayapp/docs, networking/outbound-networking.md',
  },
  {
    id: 'aws',
    name: 'Amazon EC2',
    alsoCalled: /\b(aws|ec2|lightsail)\b/,
    blockedPorts: [25],
    advice:
      'Only port 25 is restricted: use 465 or 587 (SES also 2465 and 2587), or ask AWS to lift the restriction.',
    source: 'https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html',
  },
  {
    id: 'gcp',
    name: 'Google Cloud',
    alsoCalled: /\b(gcp|google cloud|compute engine|cloud functions|firebase)\b/,
    blockedPorts: [25],
    advice:
      'Port 25 is blocked: use 465 or 587. Projects without billing have no outgoing connections at all.',
    source: 'TryGhost/Docs#136; nodemailer issue thread on Cloud Functions',
  },
  {
    id: 'azure',
    name: 'Azure',
    alsoCalled: /\bazure\b/,
    blockedPorts: [25],
    advice: 'Port 25 is blocked for most subscriptions: use 587.',
    source:
      'https://blogs.msdn.microsoft.com/mast/enhanced-azure-security-for-sending-emails-november-2017-update',
  },
  {
    id: 'linode',
    name: 'Linode',
    alsoCalled: /\b(linode|akamai cloud)\b/,
    blockedPorts: [25],
    advice: 'New accounts cannot use port 25: use 465 or 587, or ask support.',
    source: 'postalserver/docs#46',
  },
  {
    id: 'oracle',
    name: 'Oracle Cloud',
    alsoCalled: /\boracle\b/,
    blockedPorts: [25],
    advice:
      'Outgoing port 25 is blocked: use 465 or 587, or request the removal of the limit on a paid account.',
    source: 'bitbucket analogic/mailserver#975',
  },
  {
    id: 'scaleway',
    name: 'Scaleway',
    alsoCalled: /\bscaleway\b/,
    blockedPorts: [25, 465, 587],
    advice: 'Enable SMTP for the server in the Scaleway console, and in its security group.',
    source: 'nodemailer/nodemailer#438',
  },
  {
    id: 'cloudzy',
    name: 'Cloudzy',
    alsoCalled: /\bcloudzy\b/,
    blockedPorts: [25, 465, 587, 2525],
    advice: 'All SMTP ports, 2525 included, are blocked until support opens them.',
    source: 'https://cloudzy.com/kb/smtp-ports-on-cloudzy-servers',
  },
  {
    id: 'fly',
    name: 'Fly.io',
    alsoCalled: /\bfly( io)?\b/,
    blockedPorts: [],
    advice:
      'Outgoing SMTP is open. A shared IPv4 address cannot take incoming SMTP: allocate a dedicated one.',
    source: 'superfly/docs, getting-started/troubleshooting',
  },
  {
    id: 'coolify',
    name: 'Coolify',
    alsoCalled: /\bcoolify\b/,
    blockedPorts: [],
    advice:
      'Fill the values in the environment tab of the resource, mark secrets with $ as literal, and redeploy. The server underneath decides which ports are open.',
  },
  {
    id: 'docker',
    name: 'Docker',
    alsoCalled: /\b(docker|compose|containers?)\b/,
    blockedPorts: [],
    advice:
      'In a compose file write $ as $$ and put the variables under the service that sends, then recreate it.',
  },
  {
    id: 'kubernetes',
    name: 'Kubernetes',
    alsoCalled: /\b(kubernetes|k8s|helm|cluster)\b/,
    blockedPorts: [],
    advice:
      'Create secrets with `printf %s`, never with `echo`, which adds a line break; then restart the pods.',
  },
  {
    id: 'heroku',
    name: 'Heroku',
    alsoCalled: /\bheroku\b/,
    blockedPorts: [],
    advice: 'Set the variables as config vars of the app; a local .env file is not deployed.',
  },
];

/** The platform by its name, else by the words of a report; undefined when it is none we know. */
export function platformOf(name: string | undefined, words: string): Platform | undefined {
  const plain = (name ?? '').toLowerCase().replaceAll(/[-_.]/g, ' ');
  return platforms.find(({ alsoCalled }) => alsoCalled.test(plain !== '' ? plain : words));
}

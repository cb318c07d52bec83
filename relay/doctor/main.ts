// `npm run doctor`: tells whether mail can leave from here, and if not, which stage fails, why, and what to type where.
// Exit code 0 only when mail can leave. Prints no secret and spends at most one AUTH for each credential.
import { readFileSync } from 'node:fs';
import { parseArgs, parseEnv } from 'node:util';
import { composeCanary } from './canary.ts';
import { type Controls, usualControls } from './controls.ts';
import { describe } from './describe.ts';
import { examine } from './examine.ts';
import { detectPlatform, isInContainer } from './platform.ts';
import { readSettings } from './settings.ts';

const usage = `Usage: npm run doctor -- [--json] [--canary] [--no-controls] [--control-smtp HOST:PORT] [--control-web HOST:PORT]

  --json           one JSON object instead of text
  --canary         also send a short message to SMTP_FROM_EMAIL: some providers refuse a sender only then
  --no-controls    connect to nobody but the provider
  --control-smtp   the mail server to compare with when the provider cannot be reached
  --control-web    the web server to compare with
`;

const options = {
  json: { type: 'boolean', default: false },
  canary: { type: 'boolean', default: false },
  controls: { type: 'boolean', default: true },
  'control-smtp': { type: 'string' },
  'control-web': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

const wishes = readWishes();

if (wishes === undefined || wishes.help) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  const source = { ...readDotEnv(), ...process.env };
  const platform = detectPlatform(source, { inContainer: isInContainer() });
  const reading = readSettings(source, platform.id);
  const from = reading.environment.from?.email;
  const examination = await examine({
    reading,
    platform,
    controls: wishes.controls && controlsFor(wishes, reading.environment.providers),
    ...(wishes.canary && from !== undefined && { canary: () => composeCanary(from, new Date()) }),
  });
  const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  process.stdout.write(
    wishes.json ? `${JSON.stringify(examination, null, 2)}\n` : describe(examination, { colour }),
  );
  process.exitCode = examination.ok ? 0 : 1;
}

function readWishes() {
  try {
    return parseArgs({ options, allowNegative: true }).values;
  } catch {
    return undefined;
  }
}

/** What `npm start` and Compose would read; what is set in the process comes first. */
function readDotEnv(): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch {
    return {};
  }
}

function controlsFor(
  given: NonNullable<typeof wishes>,
  providers: readonly { readonly host: string }[],
): Controls {
  const usual = usualControls(providers.map(({ host }) => host));
  const smtp = hostAndPort(given['control-smtp']);
  const web = hostAndPort(given['control-web']);
  return {
    smtp: smtp ? { host: smtp.host, ports: [smtp.port] } : usual.smtp,
    web: web ?? usual.web,
  };
}

function hostAndPort(text: string | undefined): { host: string; port: number } | undefined {
  const [, host, port] = /^\[?(.+?)\]?:(\d{1,5})$/.exec(text ?? '') ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}

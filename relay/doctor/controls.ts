// Comparisons, made only when the provider cannot be reached: another mail server and the web tell "this provider"
// from "this platform" from "no network at all". Connections only; nothing is said to anybody.
import type { ControlReport } from './examination.ts';
import { reach, resolve } from './reach.ts';
import { within } from './time-limits.ts';

export type Controls = {
  /** A mail server of somebody else that is known to be up, and the ports it listens on. */
  readonly smtp: { readonly host: string; readonly ports: readonly number[] };
  readonly web: { readonly host: string; readonly port: number };
};

/** Two of the largest there are; the second stands in when the provider is the first. */
export function usualControls(providerHosts: readonly string[]): Controls {
  const isGoogle = providerHosts.some((host) => /(?:^|\.)(?:gmail|google)\.com$/i.test(host));
  return {
    smtp: isGoogle
      ? { host: 'smtp.fastmail.com', ports: [465, 587] }
      : { host: 'smtp.gmail.com', ports: [465, 587] },
    web: { host: 'www.google.com', port: 443 },
  };
}

const patienceMs = 4_000;

/** @param alternates further ports the provider is known to listen on */
export async function compare(
  controls: Controls,
  { host, alternates, signal }: { host: string; alternates: readonly number[]; signal: AbortSignal },
): Promise<ControlReport[]> {
  const asked: [ControlReport['what'], string, number][] = [
    ...controls.smtp.ports.map((port): [ControlReport['what'], string, number] => [
      'SMTP elsewhere',
      controls.smtp.host,
      port,
    ]),
    ['the web', controls.web.host, controls.web.port],
    ...alternates.map((port): [ControlReport['what'], string, number] => [
      "the provider's other port",
      host,
      port,
    ]),
  ];
  return Promise.all(asked.map(([what, where, port]) => tryPort(what, where, port, signal)));
}

/** Whether a well-known name is found: tells a wrong name from a resolver that does not work. */
export async function compareNames({ web }: Controls, signal: AbortSignal): Promise<ControlReport[]> {
  const since = performance.now();
  const outcome = await within('dns', patienceMs, signal, () => resolve(web.host)).then(
    () => 'answers' as const,
    () => 'is not found' as const,
  );
  return [
    { what: 'a known name', host: web.host, port: null, outcome, ms: Math.round(performance.now() - since) },
  ];
}

async function tryPort(
  what: ControlReport['what'],
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<ControlReport> {
  const since = performance.now();
  const outcome = await knock(host, port, signal);
  return { what, host, port, outcome, ms: Math.round(performance.now() - since) };
}

async function knock(host: string, port: number, signal: AbortSignal): Promise<ControlReport['outcome']> {
  try {
    const { ipv4, ipv6 } = await within('dns', patienceMs, signal, () => resolve(host));
    const address = ipv4[0] ?? ipv6[0] ?? host;
    const socket = await within('tcp', patienceMs, signal, (until) => reach(address, port, until));
    socket.destroy();
    return 'answers';
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return 'refuses';
    if (code === 'ETIMEDOUT' && syscall === 'connect') return 'keeps silent';
    if (syscall === 'getaddrinfo' || syscall === 'queryA') return 'is not found';
    return 'cannot be reached';
  }
}

// Whether a URL can be that of an endpoint, as far as it tells by itself. Its host is looked up and checked again at
// every attempt (worker/webhooks).
import { isIP } from 'node:net';
import type { AddressPolicy } from '../../deploy/public-address.ts';

/** Everything that is wrong with it, each as the rest of a sentence that begins with `url`. */
export function faultsOfUrl(text: string, policy: AddressPolicy): string[] {
  if (!URL.canParse(text)) return ['must be a URL, such as https://shop.example.com/hooks/mail'];
  const url = new URL(text);
  const faults: string[] = [];
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return [`must begin with https://, not with ${url.protocol}`];
  if (url.username !== '' || url.password !== '')
    faults.push('must not hold a user or a password: deliveries are signed instead');
  if (url.hash !== '') faults.push('must not have a # part');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const fault = faultOfHost(host, policy);
  if (fault !== undefined) faults.push(`must lead to a public address: ${host} ${fault}`);
  if (url.protocol === 'http:' && !mayBeClear(host, policy))
    faults.push('must begin with https://; http:// is for addresses that WEBHOOK_ALLOW_PRIVATE permits');
  return faults;
}

function faultOfHost(host: string, policy: AddressPolicy): string | undefined {
  if (isIP(host)) return policy.faultOf(host);
  // RFC 6761 section 6.3: it is the machine itself, whatever a resolver says.
  const isLoopback = /(?:^|\.)localhost\.?$/i.test(host);
  return isLoopback ? policy.faultOf('127.0.0.1') && policy.faultOf('::1') : undefined;
}

/** A name may turn out to be inside once it is looked up. */
const mayBeClear = (host: string, policy: AddressPolicy) =>
  isIP(host) ? policy.isPermitted(host) : policy.permitsSome;

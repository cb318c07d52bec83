// What the endpoint that gives access tokens says: RFC 6749 §5.2, with the numbers of Microsoft and the words of Google.
import type { Facts } from '../facts.ts';
import type { Rule } from './rule.ts';

const stop = { verdict: 'stop', scope: 'credential', stage: 'token' } as const;

/** At its own stage; or somebody reports it without a reply of a mail server beside it. */
const fromEndpoint = ({ stage, code, words }: Facts): boolean =>
  stage === 'token' ||
  (code === undefined &&
    (stage === undefined || stage === 'auth') &&
    /\baadsts\d+|\binvalid (?:grant|client|scope)\b|\bunauthorized client\b/.test(words));

const away = {
  cause: 'oauth2-token-unreachable',
  verdict: 'retry',
  scope: 'credential',
  stage: 'token',
} as const;

export const tokenRules: readonly Rule[] = [
  // Asked too often without need: a long pause, then again.
  { ...away, says: /\baadsts50196\b/, when: fromEndpoint, windowSeconds: 300 },
  { ...away, says: /\baadsts(90033|50033|50087|90036|50001)\b|temporarily unavailable/, when: fromEndpoint },
  { ...stop, cause: 'oauth2-secret-expired', says: /\baadsts7000222\b/, when: fromEndpoint },
  {
    ...stop,
    cause: 'oauth2-secret-wrong',
    says: /\baadsts7000215\b|invalid client secret/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-clock',
    says: /\baadsts(700024|500133)\b|reasonable timeframe|check your iat and exp/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-certificate',
    says: /\baadsts(700027|700021|50012|70002|5000224)\b|client assertion|invalid jwt signature/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-application',
    says: /\baadsts(700016|700011|7000112)\b|oauth client was (not found|deleted|disabled)|\b(deleted|disabled) client\b/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-tenant',
    says: /\baadsts(90002|900023|900021|50059|50194|7000012)\b/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-consent',
    says: /\baadsts(65001|650057|650056|65005|650052|500011|90094|50105)\b|consent required|admin policy enforced/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-scope',
    says: /invalid scope|\baadsts(70011|28002|1002012|900144)\b/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-policy',
    says: /\baadsts(50076|50079|50074|50078|50158|5300\d|53011|530035|70043|50131|50053)\b|invalid rapt|interaction required|conditional access/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-account',
    says: /\baadsts(50034|50020|500208|50055|50057|50126|500212)\b|invalid email or user id|not a valid email/,
    when: fromEndpoint,
  },
  { ...stop, cause: 'oauth2-public-client', says: /\baadsts(700025|7000218|700030)\b/, when: fromEndpoint },
  {
    ...stop,
    cause: 'oauth2-revoked',
    says: /invalid grant|\baadsts(700082|70008|700084|70000|50173|50089|54005)\b/,
    when: fromEndpoint,
  },
  // Google says it of a service account that may not act for this mailbox.
  {
    ...stop,
    cause: 'oauth2-delegation',
    says: /unauthorized client\b(?!.*aadsts)/,
    when: fromEndpoint,
  },
  {
    ...stop,
    cause: 'oauth2-config',
    says: /invalid (client|request)|unauthorized client|unsupported grant type|access denied|\baadsts\d+|no refresh token/,
    when: fromEndpoint,
  },
  { ...away, onlyAt: ['token'] },
];

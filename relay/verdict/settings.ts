// Whether the settings in force explain a failure. A finding counts only where the failure is of its kind: a bad
// password does not explain a closed port.
import { doorOf, isWrongDoor } from '../../deploy/doors.ts';
import type { Cause } from './catalogue.ts';
import { type Facts, portsIn, setting } from './facts.ts';

type Subject = 'host' | 'door' | 'port' | 'credentials' | 'sender' | 'tls';

type SettingProblem = { readonly subject: Subject; readonly cause: Cause };

/** The first setting that explains this failure; undefined without settings or when they look right. */
export function settingsCause(facts: Facts): Cause | undefined {
  if (facts.config === undefined) return undefined;
  const subjects = explainable(facts);
  return problemsIn(facts).find(({ subject }) => subjects.includes(subject))?.cause;
}

function explainable(facts: Facts): readonly Subject[] {
  const { stage, code, systemError, words } = facts;
  const nothingElseSaid = words === '' && code === undefined && systemError === undefined;
  if (stage === 'config' || (stage === undefined && nothingElseSaid)) {
    return ['host', 'door', 'port', 'credentials', 'sender', 'tls'];
  }
  if (stage === 'dns' || systemError === 'ENOTFOUND' || systemError === 'EAI_AGAIN') return ['host', 'door'];
  if (stage === 'tcp') return ['host', 'door', 'port'];
  if (stage === 'tls' || stage === 'greeting' || stage === 'ehlo' || stage === 'starttls') {
    return doorOf(facts.host ?? '') === undefined ? [] : ['door'];
  }
  if (stage === 'auth' || code === 530 || code === 535) return ['credentials'];
  return [];
}

function problemsIn(facts: Facts): readonly SettingProblem[] {
  const { config } = facts;
  const host = setting(config, 'host', 'server', 'hostname');
  const port = setting(config, 'port');
  const user = setting(config, 'user', 'username', 'login');
  const password = setting(config, 'password', 'pass');
  const from = setting(config, 'from', 'fromemail', 'fromaddress');
  const secure = setting(config, 'secure', 'usetls', 'tls');
  return [
    ...(host === undefined ? [] : asProblems('host', valueProblem(host) ?? hostProblem(host, user))),
    ...(facts.host === undefined ? [] : asProblems('door', doorProblem(facts))),
    ...(port === undefined ? [] : asProblems('port', portProblem(port))),
    ...(user === undefined ? [] : asProblems('credentials', valueProblem(user))),
    ...(password === undefined
      ? []
      : asProblems('credentials', valueProblem(password) ?? passwordProblem(password))),
    ...(from === undefined ? [] : asProblems('sender', valueProblem(from))),
    ...asProblems('host', urlProblem(facts)),
    ...asProblems('tls', tlsProblem(secure, port)),
    ...asProblems('credentials', requiredProblem(facts)),
  ];
}

function asProblems(subject: Subject, cause: Cause | undefined): readonly SettingProblem[] {
  return cause === undefined ? [] : [{ subject, cause }];
}

function valueProblem(value: unknown): Cause | undefined {
  if (value === null) return 'env-missing';
  if (typeof value !== 'string') return undefined;
  if (value === '') return 'env-blank';
  if (/^(undefined|null|none)$|process\.env|os\.environ|getenv\(/i.test(value.trim())) return 'env-missing';
  if (value.trim() === '') return 'env-blank';
  if (value !== value.trim() || [...value].some((char) => char < ' ')) return 'env-newline';
  if (/^(["'`]).*\1$/.test(value) || /^["'`]|["`]$/.test(value)) return 'env-quoted';
  if (/\$\{\w*[}:]?|\$\(|^\$\w+$|\{\{.*\}\}/.test(value)) return 'env-interpolated';
  if (/\S[;,]$/.test(value)) return 'env-trailing-char';
  if (
    /^(your|my)[-_ .]|change[-_ ]?me|^x{3,}$|placeholder|^todo\b|replace[-_ ]?(me|this)|^<[^>]*(password|user|host|key|secret)[^>]*>$/i.test(
      value,
    )
  ) {
    return 'env-placeholder';
  }
  return undefined;
}

function hostProblem(host: unknown, user: unknown): Cause | undefined {
  if (typeof host !== 'string') return undefined;
  if (/:\/\//.test(host) || /\//.test(host)) return 'env-scheme-in-host';
  if (host.includes('@') || (typeof user === 'string' && user !== '' && host === user))
    return 'env-url-encoding';
  if (/^\[[0-9a-f:]+/i.test(host)) return 'ipv6-literal';
  if (/:\d+$/.test(host) && !/:.*:/.test(host)) return 'env-host-garbage';
  if (/^\d+$|\s|^[^a-z0-9<[]/i.test(host)) return 'env-host-garbage';
  return undefined;
}

// A name without a dot that leads somewhere is a service of the same network; one that does not is a mistake.
function doorProblem({ host = '', config, systemError, symptom }: Facts): Cause | undefined {
  if (isWrongDoor(host)) return 'wrong-service-host';
  const isBare = /^[a-z0-9_-]+$/.test(host) && !/^\d+$|^localhost$/.test(host);
  const leadsNowhere =
    systemError === 'ENOTFOUND' || systemError === 'ETIMEDOUT' || symptom.code === 'ETIMEDOUT';
  const isPreset = setting(config, 'host', 'server', 'hostname') === undefined;
  return isBare && leadsNowhere && !isPreset ? 'local-name' : undefined;
}

function portProblem(port: unknown): Cause | undefined {
  if (port === null) return 'env-missing';
  const text = String(port);
  if (text.trim() === '') return 'env-blank';
  if (portsIn(port) !== undefined) return undefined;
  if (/^["'`]|["'`]$/.test(text)) return 'env-quoted';
  return /^\s*\d+\s*[;,]$/.test(text) ? 'env-trailing-char' : 'env-port-garbage';
}

// A $ that survived is harmless, but whoever reports it beside a refused login typed it where it does not survive.
function passwordProblem(password: unknown): Cause | undefined {
  if (typeof password !== 'string') return undefined;
  if (/\$\w|\$[^\w]/.test(password)) return 'env-interpolated';
  if (/ #/.test(password) || /#$/.test(password)) return 'env-comment-truncation';
  return undefined;
}

function urlProblem(facts: Facts): Cause | undefined {
  const url = setting(facts.config, 'url', 'smtpurl', 'dsn');
  if (typeof url !== 'string' || !url.includes('@')) return undefined;
  const failed = (facts.symptom.hostname ?? '').toLowerCase();
  const beforeAt = url.slice(0, url.lastIndexOf('@')).toLowerCase();
  const credentials = beforeAt.slice(beforeAt.indexOf('://') + 3);
  if (failed !== '' && credentials.split(/[:@/#?]/).includes(failed)) return 'env-url-encoding';
  return /[#/?@[\]]/.test(credentials) ? 'env-url-encoding' : undefined;
}

function tlsProblem(secure: unknown, port: unknown): Cause | undefined {
  if (typeof secure === 'string' && /^(true|false)$/i.test(secure.trim()) === false && secure.trim() !== '') {
    return 'env-value-garbage';
  }
  const implicit = String(secure).trim().toLowerCase();
  const number = Number(port);
  if (implicit === 'true' && number === 587) return 'env-tls-contradiction';
  if (implicit === 'false' && number === 465) return 'env-tls-contradiction';
  return undefined;
}

function requiredProblem({ config }: Facts): Cause | undefined {
  const names = Object.keys(config ?? {});
  if (!names.some((name) => name.startsWith('SMTP_'))) return undefined;
  const required = [['host'], ['user'], ['password', 'pass'], ['fromemail', 'from']];
  return required.some((spellings) => setting(config, ...spellings) === undefined)
    ? 'env-missing'
    : undefined;
}

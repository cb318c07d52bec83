// What operating systems and runtimes call a broken connection. Numbers differ between Linux, macOS, Windows and
// libuv, words between languages; one name, Node's, comes out.

export type SystemError =
  | 'ENOTFOUND'
  | 'EAI_AGAIN'
  | 'ECONNREFUSED'
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EADDRNOTAVAIL'
  | 'EACCES'
  | 'ETIMEDOUT'
  | 'ECONNRESET'
  | 'EPIPE'
  | 'CLOSED';

// Linux, macOS and Winsock numbers do not collide for these names; libuv's are negative and, from -3000 on, its own.
const numbers: Readonly<Record<number, SystemError>> = {
  111: 'ECONNREFUSED',
  61: 'ECONNREFUSED',
  10061: 'ECONNREFUSED',
  4078: 'ECONNREFUSED',
  110: 'ETIMEDOUT',
  60: 'ETIMEDOUT',
  10060: 'ETIMEDOUT',
  4039: 'ETIMEDOUT',
  104: 'ECONNRESET',
  54: 'ECONNRESET',
  10054: 'ECONNRESET',
  10053: 'ECONNRESET',
  4077: 'ECONNRESET',
  4079: 'ECONNRESET',
  103: 'ECONNRESET',
  101: 'ENETUNREACH',
  51: 'ENETUNREACH',
  10051: 'ENETUNREACH',
  4062: 'ENETUNREACH',
  113: 'EHOSTUNREACH',
  65: 'EHOSTUNREACH',
  10065: 'EHOSTUNREACH',
  4073: 'EHOSTUNREACH',
  99: 'EADDRNOTAVAIL',
  49: 'EADDRNOTAVAIL',
  10049: 'EADDRNOTAVAIL',
  4090: 'EADDRNOTAVAIL',
  13: 'EACCES',
  10013: 'EACCES',
  4092: 'EACCES',
  32: 'EPIPE',
  4047: 'EPIPE',
  3008: 'ENOTFOUND',
  3007: 'ENOTFOUND',
  11001: 'ENOTFOUND',
  11004: 'ENOTFOUND',
  3001: 'EAI_AGAIN',
  3003: 'EAI_AGAIN',
  11002: 'EAI_AGAIN',
};

const codeNames: Readonly<Record<string, SystemError>> = {
  ENOTFOUND: 'ENOTFOUND',
  ENODATA: 'ENOTFOUND',
  EAI_NONAME: 'ENOTFOUND',
  EAI_NODATA: 'ENOTFOUND',
  WSAHOST_NOT_FOUND: 'ENOTFOUND',
  EAI_AGAIN: 'EAI_AGAIN',
  EAI_FAIL: 'EAI_AGAIN',
  ESERVFAIL: 'EAI_AGAIN',
  ETIMEOUT: 'EAI_AGAIN',
  EREFUSED: 'EAI_AGAIN',
  WSATRY_AGAIN: 'EAI_AGAIN',
  ECONNREFUSED: 'ECONNREFUSED',
  WSAECONNREFUSED: 'ECONNREFUSED',
  ENETUNREACH: 'ENETUNREACH',
  ENETDOWN: 'ENETUNREACH',
  WSAENETUNREACH: 'ENETUNREACH',
  EHOSTUNREACH: 'EHOSTUNREACH',
  EHOSTDOWN: 'EHOSTUNREACH',
  WSAEHOSTUNREACH: 'EHOSTUNREACH',
  EADDRNOTAVAIL: 'EADDRNOTAVAIL',
  EACCES: 'EACCES',
  EPERM: 'EACCES',
  WSAEACCES: 'EACCES',
  ETIMEDOUT: 'ETIMEDOUT',
  ESOCKETTIMEDOUT: 'ETIMEDOUT',
  WSAETIMEDOUT: 'ETIMEDOUT',
  UND_ERR_CONNECT_TIMEOUT: 'ETIMEDOUT',
  ECONNRESET: 'ECONNRESET',
  ECONNABORTED: 'ECONNRESET',
  WSAECONNRESET: 'ECONNRESET',
  WSAECONNABORTED: 'ECONNRESET',
  EPIPE: 'EPIPE',
};

// In order: what names the resolver comes before "timed out", which every stage may say.
const phrases: readonly (readonly [RegExp, SystemError])[] = [
  [
    /temporary failure in name resolution|host not found try again|server misbehaving|servfail|query(a|aaaa|mx|srv)? (etimeout|esetimeout|eservfail|erefused)|(dns|resolver|nameserver|name server|lookup|resolution|name service)\b.{0,60}(time ?out|timed out|temporar|unavailable|not respond|no response|unreachable|i\/o timeout|connection refused)|time ?out.{0,20}(dns|resolv)|resolving timed out|eai again|erefused|type = ?(a|aaaa|mx) host not found try/,
    'EAI_AGAIN',
  ],
  [
    /enotfound|enodata|no such host|name or service not known|nodename nor servname|not resolve|unable to resolve|failed to resolve|unknown ?host|unresolved|unresolvable|nxdomain|getaddrinfo failed|getaddrinfo: name|no address associated|failed to lookup|lookup failed|host not found|name not found|host is unknown|no such domain|name could not be resolved|name does not resolve/,
    'ENOTFOUND',
  ],
  [/econnrefused|connection (was |is )?refused|actively refused|refused the connection/, 'ECONNREFUSED'],
  [/enetunreach|network (is )?(unreachable|down)|unreachable network|no ipv6 connectivity/, 'ENETUNREACH'],
  [/ehostunreach|no route to host|host (is )?(unreachable|down)/, 'EHOSTUNREACH'],
  [/eaddrnotavail|cannot assign requested address/, 'EADDRNOTAVAIL'],
  [/eacces\b|connect.{0,30}permission denied|forbidden by its access permissions/, 'EACCES'],
  [
    /econnreset|econnaborted|connection (was |has been )?(reset|aborted)|reset by (the )?peer|forcibly closed|software caused connection abort/,
    'ECONNRESET',
  ],
  [/epipe|broken pipe/, 'EPIPE'],
  [
    /etimedout|timed ?out|time ?out|times out|timing out|deadline exceeded|execution expired|did not (properly )?respond/,
    'ETIMEDOUT',
  ],
  [
    /connection (was |has been |had )?(unexpectedly |prematurely |abruptly )?(closed|lost|dropped|ended|terminated|broken)|closed (unexpectedly|by (the )?(remote|peer|server|foreign))|(closed|dropped|lost|terminated|cut) (the )?connection|connection closed|server (has )?disconnected|(closed|terminated|aborted) the handshake|(remote|peer|server|foreign) (host|side|end)? ?(closed|terminated)|socket (was )?(closed?|hang ?up|hung up|disconnected)|unexpected(ly)? (socket )?(close|eof|end of)|end of (file|stream)|\beof\b|hang up|connectionclosed|disconnected|empty response|network socket disconnected|not connected/,
    'CLOSED',
  ],
];

/** The number or name an error object carries, as one name; undefined when it is no system error. */
export function systemErrorOf(value: string | number | undefined): SystemError | undefined {
  if (value === undefined) return undefined;
  const asNumber = Math.abs(Number(value));
  if (Number.isInteger(asNumber) && asNumber > 0) return numbers[asNumber];
  return codeNames[String(value).trim().toUpperCase()];
}

/** The same from normalised prose; the first phrase in order wins. */
export function systemErrorIn(words: string): SystemError | undefined {
  // Python's EAI_NONAME and EAI_AGAIN are small negative numbers that mean other things elsewhere.
  const errno = /\b(?:errno|error|wsa|winerror|os error|connect error)[ :]*(-?\d{1,5})\b/.exec(words)?.[1];
  if (errno !== undefined) {
    if (errno === '-2' || errno === '-5' || errno === '8') return 'ENOTFOUND';
    if (errno === '-3') return 'EAI_AGAIN';
    const known = systemErrorOf(errno);
    if (known !== undefined) return known;
  }
  return phrases.find(([phrase]) => phrase.test(words))?.[1];
}

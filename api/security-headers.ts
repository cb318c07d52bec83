// The headers that keep browsers from doing more with an answer than showing it.
import helmet from 'helmet';

export const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
  },
  // Whether this host is reached by TLS only is for the proxy in front to say.
  strictTransportSecurity: false,
  crossOriginResourcePolicy: { policy: 'same-origin' },
});

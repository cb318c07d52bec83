// Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol) of the origins in CORS_ORIGINS.
import type { RequestHandler } from 'express';

export function allowOrigins(origins: readonly string[]): RequestHandler {
  return (request, response, next) => {
    response.vary('origin');
    const origin = request.get('origin');
    if (origin === undefined || !origins.includes(origin)) return next();
    response.set({
      'access-control-allow-origin': origin,
      'access-control-expose-headers':
        'Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, ETag',
      'cross-origin-resource-policy': 'cross-origin',
    });
    if (request.method !== 'OPTIONS' || request.get('access-control-request-method') === undefined)
      return next();
    response
      .status(204)
      .set({
        'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
        'access-control-allow-headers':
          'Authorization, Content-Type, Idempotency-Key, If-Match, Traceparent, X-Request-Id',
        'access-control-max-age': '600',
      })
      .end();
  };
}

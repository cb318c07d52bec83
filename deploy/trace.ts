// One trace (https://www.w3.org/TR/trace-context/) from the request that asks for a mail to the attempt that sends it.
// What travels is the traceparent; its trace id is in logs and timelines whether or not anybody collects spans. Spans
// are begun only where an OpenTelemetry SDK has registered itself (NODE_OPTIONS=--import=…): Postern brings the API and
// no exporter, and without an SDK a span costs nothing.
import { randomUUID } from 'node:crypto';
import {
  type Context,
  context,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

export type { Span };

type Parts = { readonly traceId: string; readonly spanId: string; readonly flags: number };

/** The trace id, as logs and timelines show it. */
export const traceIdOf = (traceparent: string | null | undefined): string | undefined =>
  traceparent?.slice(3, 35);

/**
 * Joins the trace that a caller's header names, under a span id of our own. A header that is missing or makes no sense
 * begins a new one (section 4.3 of the recommendation). What we begin is not marked as sampled: nobody has decided to.
 */
export function joinTrace(header: string | undefined): string {
  const given = header === undefined ? undefined : read(header);
  // The last 64 bits of a random UUID begin with its variant (RFC 9562 section 4.1), so they are never all zero.
  const spanId = randomUUID().slice(19).replace('-', '');
  const traceId = given ? given.traceId : randomUUID().replaceAll('-', '');
  return `00-${traceId}-${spanId}-0${given ? given.flags : 0}`;
}

const form = /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

function read(traceparent: string): Parts | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(traceparent) ?? [];
  if (!traceId || !spanId || flags === undefined) return undefined;
  // Later versions may say more at the end; this one says nothing, and ff is no version.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  // Of the flags only `sampled` is known here, and what is not known is not passed on.
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & 1 };
}

/** What whoever comes after this span names as its parent. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`;
}

/**
 * Begins the span of a request: under the span that an instrumentation of HTTP has begun for the same request, else
 * under what the caller's header names. Undefined without an SDK.
 */
export function startRequestSpan(name: string, header: string | undefined): Span | undefined {
  const tracer = findTracer();
  if (!tracer) return undefined;
  const parent = trace.getActiveSpan() ? context.active() : contextOf(header);
  return tracer.startSpan(name, { kind: SpanKind.SERVER }, parent);
}

/** Begins the span of work for another process or a provider. Undefined without an SDK. */
export function startSpan(name: string, traceparent: string | null): Span | undefined {
  return findTracer()?.startSpan(name, { kind: SpanKind.CLIENT }, contextOf(traceparent ?? undefined));
}

/** Ends a span whose work did not do what it was for. */
export function endFailed(span: Span, why: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: why });
  span.end();
}

function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  // Until an SDK registers itself, the API's own stand-in answers, which would make spans of nothing.
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer('postern')
    : provider.getTracer('postern');
}

function contextOf(traceparent: string | undefined): Context {
  const parts = traceparent === undefined ? undefined : read(traceparent);
  if (!parts) return ROOT_CONTEXT;
  const { traceId, spanId, flags } = parts;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true });
}

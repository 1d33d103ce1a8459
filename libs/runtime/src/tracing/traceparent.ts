/** The place in a trace, as W3C Trace Context writes it: `00-TRACE-SPAN-FLAGS`, https://www.w3.org/TR/trace-context/#traceparent-header. */
import type { SpanContext } from '@opentelemetry/api';

const form = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const zeros = /^0+$/;
/** The bit of a trace that is told. */
export const sampled = 1;

/** @returns undefined for a text that is none: who can't read one begins a trace of its own */
export function spanIn(traceparent: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = form.exec(traceparent) ?? [];
  // ff is no version, and only zeros are no id.
  if (traceId === '' || traceparent.startsWith('ff') || zeros.test(traceId) || zeros.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & sampled, isRemote: true };
}

export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & sampled}`;
}

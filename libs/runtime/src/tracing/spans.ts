/**
 * The doors at which a span begins. What a span belongs to is told by the contexts of events, and never by what happens to run around
 * it: a loop that a request has woken is no part of the request. Without a collector, a door costs one look at a variable.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Attributes, Link, Span, SpanContext } from '@opentelemetry/api';
import { type EventContext, Fault } from '@strongroom/contracts';
import { spanIn, traceparentOf } from './traceparent.js';

/** As OpenTelemetry numbers them. */
const kinds = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const;
const failed = 2;
/** How many links a span has at the most, which is OpenTelemetry's own limit. */
const mostLinks = 128;

export interface SpanStart {
  /** It names the kind of work, and never one thing. */
  name: string;
  kind?: keyof typeof kinds;
  attributes?: Attributes;
}

/** What makes spans, once there is somebody to tell them to. */
export interface SpanSource {
  begin(
    name: string,
    as: { kind: number; attributes: Attributes; links: Link[]; parent: SpanContext | undefined },
  ): Span;
}

let source: SpanSource | undefined;
const current = new AsyncLocalStorage<Span | undefined>();

/** @param given makes the spans of this process from now on; undefined: there are none any more */
export function useSpans(given: SpanSource | undefined): void {
  source = given;
}

/** Whether there is somebody to tell spans to. Where there is none, nothing is put together for them. */
export function areSpansTold(): boolean {
  return source !== undefined;
}

/**
 * Does work that was asked for by what is at these places in traces, within a span of its own.
 *
 * Where all are of one trace, the span belongs to it. A batch of several traces has a trace of its own, with a link to each of them. Work
 * that nobody's trace has asked for has no span.
 * @param after the places, as the contexts of events have them
 */
export function inSpan<T>(
  after: readonly (string | undefined)[],
  start: SpanStart,
  work: () => Promise<T>,
): Promise<T> {
  if (!source) return work();
  const places = placesIn(after);
  const [first, ...others] = places;
  if (!first) return outsideSpans(work);
  const isOne = others.every(({ traceId }) => traceId === first.traceId);
  const linked = isOne ? others : places;
  return within(begun(source, start, linked, isOne ? first : undefined), work);
}

/**
 * Does work that begins a trace by itself, such as what is done again each month: it is no part of the traces that it follows from, and has
 * a link to each.
 * @param after their places, as the contexts of events have them
 */
export function inOwnTrace<T>(
  after: readonly (string | undefined)[],
  start: SpanStart,
  work: () => Promise<T>,
): Promise<T> {
  if (!source) return work();
  return within(begun(source, start, placesIn(after), undefined), work);
}

/** Does work that is no part of what happens to run around it. */
export function outsideSpans<T>(work: () => T): T {
  return source ? current.run(undefined, work) : work();
}

/** The context of an event that is recorded now: its place in its trace is the span around it. */
export function tracedContext(context: EventContext): EventContext {
  if (!source || context.traceparent === undefined) return context;
  const around = current.getStore()?.spanContext();
  if (!around || around.traceId !== spanIn(context.traceparent)?.traceId) return context;
  return { ...context, traceparent: traceparentOf(around) };
}

/** The context of what begins a trace by itself. Its first span is only the moment. */
export function withNewTrace(context: EventContext, start: SpanStart): EventContext {
  if (!source) return context;
  const span = begun(source, start, [], undefined);
  span.end();
  return { ...context, traceparent: traceparentOf(span.spanContext()) };
}

/**
 * The span of a client's request. It begins a trace of ours, because whether a trace is kept is for us to say, and a client may not put its
 * requests into the trace of somebody else. The client's own place is a link.
 * @param traceparent as the client gives it
 * @returns undefined where there are no spans
 */
export function spanOfRequest(start: SpanStart, traceparent: unknown): Span | undefined {
  if (!source) return undefined;
  const told = typeof traceparent === 'string' ? spanIn(traceparent) : undefined;
  return begun(source, { ...start, kind: 'server' }, told ? [told] : [], undefined);
}

/** The fields of a span in a line of the log, as OpenTelemetry names them. */
export function logFieldsOf(span: Span | undefined): { trace_id?: string; span_id?: string } {
  if (!span) return {};
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}

/** Those of the span around. */
export function logFieldsOfSpan(): { trace_id?: string; span_id?: string } {
  return source ? logFieldsOf(current.getStore()) : {};
}

function placesIn(after: readonly (string | undefined)[]): SpanContext[] {
  return [...new Set(after)].flatMap((each) => (each === undefined ? [] : (spanIn(each) ?? [])));
}

function begun(from: SpanSource, start: SpanStart, linked: readonly SpanContext[], parent?: SpanContext): Span {
  const { name, kind = 'internal', attributes = {} } = start;
  const links = linked.slice(0, mostLinks).map((context) => ({ context }));
  return from.begin(name, { kind: kinds[kind], attributes, links, parent });
}

/** What failed is told by its code alone: the sentence of an error may name what a collector need not know. */
async function within<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await current.run(span, work);
  } catch (error) {
    span.setStatus({ code: failed, message: error instanceof Fault ? error.code : nameOf(error) });
    throw error;
  } finally {
    span.end();
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

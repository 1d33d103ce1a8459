/**
 * Tells the spans of this process to a collector, by OTLP over HTTP. The packages of OpenTelemetry are loaded here, and only when there is
 * one. Nothing waits for the collector: what it does not take in time is lost, and counted.
 */
import type { Attributes, SpanContext } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { endsWithin } from '../ends-within.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import type { TraceConfig } from '../trace-config.js';
import { type SpanSource, useSpans } from './spans.js';
import { sampled } from './traceparent.js';

/** Spans that wait or are under way, at the most: some megabytes. Later ones are lost. */
const mostWaiting = 2_048;
const atOnce = 512;
const tellAfterMs = 1_000;
const answersWithinMs = 5_000;
/**
 * The exporter ends each batch by itself within that time. The library, whose own time for one would be over first, would begin up to
 * thirty beside each other, each with its spans.
 */
const longestBatchMs = 4 * answersWithinMs;
/** What the end of the process waits for the last spans. */
const endsWithinMs = 1_500;
const complainEveryMs = 60_000;

export interface Collector {
  /** Tells what is left, for a while. It never fails. */
  end(): Promise<void>;
}

/** @param process the name of this process, which is unique */
export async function tellSpans(
  { url, headers, sampledShare, serviceName }: TraceConfig,
  { log, metrics, process }: { log: Logger; metrics: Metrics; process: string },
): Promise<Collector> {
  const [{ ROOT_CONTEXT, trace }, sdk, { resourceFromAttributes }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  const exporter = new OTLPTraceExporter({ url: url.href, headers, timeoutMillis: answersWithinMs });
  const lost = metrics.counter({
    name: 'strongroom_spans_lost_total',
    help: 'Spans of traces that the collector has not taken, or that came while too many waited for it.',
  });
  let waiting = 0;
  // Made once, because a busy process may lose thousands of spans a second.
  const tooMany = new Error(`${mostWaiting} spans wait for the collector`);
  const lose = (spans: number, error: unknown) => {
    lost.inc(spans);
    complain(error);
  };
  const told = toldOf(exporter, (spans, error) => {
    waiting -= spans;
    if (error !== undefined) lose(spans, error);
  });
  let complainedAt = Number.NEGATIVE_INFINITY;
  const complain = (error: unknown) => {
    if (performance.now() - complainedAt < complainEveryMs) return;
    complainedAt = performance.now();
    log.warn({ err: error, collector: url.origin }, 'the collector takes no spans: they are lost, and nothing waits');
  };
  const batches = new sdk.BatchSpanProcessor({
    exporter: told,
    maxQueueSize: mostWaiting,
    maxExportBatchSize: atOnce,
    scheduledDelayMillis: tellAfterMs,
    exportTimeoutMillis: longestBatchMs,
  });
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': process }),
    // What follows from a request is kept or left as the request is.
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(sampledShare) }),
    spanProcessors: [
      boundedBy(batches, () => {
        const hasRoom = waiting < mostWaiting;
        if (hasRoom) waiting += 1;
        else lose(1, tooMany);
        return hasRoom;
      }),
    ],
  });
  const tracer = provider.getTracer('strongroom');
  const under = (parent: SpanContext | undefined) =>
    parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
  const source: SpanSource = {
    begin: (name, { parent, ...as }: { parent: SpanContext | undefined; kind: number; attributes: Attributes }) =>
      tracer.startSpan(name, as, under(parent)),
  };
  useSpans(source);
  return {
    async end() {
      useSpans(undefined);
      await endsWithin(provider.shutdown(), endsWithinMs).catch(complain);
    },
  };
}

/** Passes on what there is room for. The library would leave out the rest as well, and tell nobody. */
function boundedBy(processor: SpanProcessor, hasRoom: () => boolean): SpanProcessor {
  return {
    onStart: (span, context) => processor.onStart(span, context),
    onEnd: (span) => {
      const isTold = (span.spanContext().traceFlags & sampled) !== 0;
      if (isTold && hasRoom()) processor.onEnd(span);
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  };
}

/**
 * The library would throw what fails into the air. Here it is counted.
 * @param ended is told of how many spans, and why they are lost; undefined when they are not
 */
function toldOf(exporter: SpanExporter, ended: (spans: number, error: unknown) => void): SpanExporter {
  return {
    export: (spans: ReadableSpan[], done) =>
      exporter.export(spans, ({ code, error }) => {
        ended(spans.length, code === 0 ? undefined : (error ?? new Error('the collector has not taken spans')));
        done({ code: 0 });
      }),
    shutdown: () => exporter.shutdown(),
  };
}

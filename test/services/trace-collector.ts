/** A collector of traces: it takes spans by OTLP over HTTP with JSON, as services send them, and keeps them. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';

const attribute = z.looseObject({ key: z.string(), value: z.looseObject({ stringValue: z.string().optional() }) });
const span = z.looseObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.int(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  links: z.array(z.looseObject({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.looseObject({ code: z.int().optional() }),
});
const told = z.looseObject({
  resourceSpans: z.array(
    z.looseObject({
      resource: z.looseObject({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.looseObject({ spans: z.array(span) })),
    }),
  ),
});

export type CollectedSpan = z.infer<typeof span> & { service: string };

export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  /** What could not be read; it must stay empty. */
  readonly problems: unknown[] = [];

  /** Whether it takes what it is told, and never answers. */
  hangs = false;
  /** How many requests have come, with those that it has not answered. */
  requests = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<TraceCollector> {
    const server = createServer();
    const collector = new TraceCollector(server);
    server.on('request', async (request, response) => {
      const wanted = `${request.method} ${request.url} ${request.headers['content-type']}`;
      collector.requests += 1;
      if (collector.hangs) return;
      if (wanted !== 'POST /v1/traces application/json') collector.problems.push(wanted);
      try {
        collector.take(await json(request));
      } catch (problem) {
        collector.problems.push(problem);
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return collector;
  }

  /** As `OTEL_EXPORTER_OTLP_ENDPOINT` has it. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private take(body: unknown): void {
    for (const { resource, scopeSpans } of told.parse(body).resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((each) => ({ ...each, service })));
    }
  }
}

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Module, type OnModuleDestroy, Post } from '@nestjs/common';
import { z } from 'zod';
import { FixedClock } from './clock.js';
import { loadConfig } from './config.js';
import type { Health } from './health.js';
import { Ids } from './ids.js';
import { createLogger, currentContext } from './log.js';
import { runtimeParts } from './runtime-module.js';
import { openService, type Service } from './service.js';

class CountedIds extends Ids {
  private count = 0;

  next(): string {
    this.count += 1;
    return `id-${this.count}`;
  }
}

@Controller('notes')
class Notes {
  @Get()
  list() {
    return currentContext();
  }

  @Post()
  @HttpCode(202)
  create(@Body() note: unknown) {
    return { note, context: currentContext() };
  }
}

const ended: string[] = [];
class Worker implements OnModuleDestroy {
  onModuleDestroy(): void {
    ended.push('worker');
  }
}

@Module({ controllers: [Notes], providers: [Worker] })
class NotesModule {}

const config = loadConfig('replicator', {
  STRONGROOM_DATABASE_URL: 'postgres://127.0.0.1/none',
  STRONGROOM_FEED: 'embedded',
  STRONGROOM_VAULTS: 'DFW=file:///none',
  STRONGROOM_HTTP_PORT: '0',
  STRONGROOM_LOG_LEVEL: 'debug',
});

describe('an app', () => {
  let lines: string[];
  let health: Health;
  let service: Service;

  beforeEach(async () => {
    lines = [];
    const log = createLogger({ app: 'test', level: 'warn', to: { write: (line) => lines.push(line) } });
    log.level = 'info';
    const parts = runtimeParts(config, log, { ids: new CountedIds(), clock: new FixedClock(new Date(0)) });
    ({ health } = parts);
    service = await openService(parts, { module: () => NotesModule, bodyLimit: 1_000 });
  });
  afterEach(() => service.close());

  const call = (path: string, init?: RequestInit) => fetch(`${service.url}${path}`, init);
  const said = (message: string) =>
    lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line))).filter(({ msg }) => msg === message);

  it('says where it listens, for the process that started it', () => {
    expect(said('listening')).toMatchObject([{ url: service.url }]);
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('is alive, and ready as long as everything that it needs is there', async () => {
    let there = true;
    health.addReadiness('database', async () => {
      if (!there) throw new Error('connection refused');
    });
    health.addReadiness('hung', () => new Promise(() => {}), { withinMs: 20 });
    expect((await call('/health/live')).status).toBe(200);
    const first = await call('/health/ready');
    expect(first.status).toBe(503);
    expect(await first.json()).toMatchObject({
      status: 'not-ready',
      checks: { database: { ok: true }, hung: { ok: false, problem: 'no answer within 20 ms' } },
    });
    there = false;
    expect(await (await call('/health/ready')).json()).toMatchObject({
      checks: { database: { ok: false, problem: 'connection refused' } },
    });
    expect((await call('/health/live')).status).toBe(200);
  });

  it('is ready when nothing is wrong', async () => {
    health.addReadiness('database', async () => {});
    const answer = await call('/health/ready');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: 'ready', checks: { database: { ok: true } } });
  });

  it('tells its measurements to Prometheus', async () => {
    await call('/notes');
    const answer = await call('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(await answer.text()).toContain(
      'strongroom_http_request_seconds_count{method="GET",route="/notes",status="200"} 1',
    );
  });

  it('gives each request an id, in the answer, in the log and for what follows from it', async () => {
    const answer = await call('/notes');
    expect(answer.headers.get('x-request-id')).toBe('id-1');
    expect(await answer.json()).toEqual({ requestId: 'id-1', correlationId: 'id-1' });
    expect(said('answered')).toMatchObject([{ requestId: 'id-1', method: 'GET', path: '/notes', status: 200 }]);
  });

  it("keeps a client's own ids beside ours, also for a request with a body", async () => {
    const headers = { 'content-type': 'application/json', 'x-request-id': 'req-1', 'x-correlation-id': 'order-7' };
    const answer = await call('/notes', { method: 'POST', headers, body: '{"a":1}' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('x-request-id')).toBe('id-1');
    expect(answer.headers.get('x-client-request-id')).toBe('req-1');
    const context = {
      requestId: 'id-1',
      correlationId: 'id-1',
      clientRequestId: 'req-1',
      clientCorrelationId: 'order-7',
    };
    expect(await answer.json()).toEqual({ note: { a: 1 }, context });
  });

  it('leaves out an id of a client that a log or a header cannot hold', async () => {
    for (const id of ['a b', '<x>', 'x'.repeat(129)]) {
      const answer = await call('/notes', { headers: { 'x-request-id': id } });
      expect(answer.headers.get('x-request-id')).toMatch(/^id-\d$/);
      expect(answer.headers.get('x-client-request-id')).toBeNull();
    }
  });

  it('takes no body beyond its limit', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await call('/notes', { method: 'POST', headers, body: JSON.stringify('x'.repeat(2_000)) });
    expect(answer.status).toBe(413);
  });

  it('waits neither for a slow request nor for an idle connection for longer than half a minute', () => {
    const waits = { headersTimeout: 15_000, requestTimeout: 30_000, keepAliveTimeout: 30_000 };
    expect(service.app.getHttpServer()).toMatchObject(waits);
  });

  it('serves as many connections as its configuration allows, and answers 503 to the next one', async () => {
    const log = createLogger({ app: 'test', level: 'silent' });
    const full = await openService(runtimeParts({ ...config, mostConnections: 1 }, log), { module: () => NotesModule });
    try {
      const { hostname, port } = new URL(full.url);
      const only = connect(Number(port), hostname);
      await once(only, 'connect');
      expect((await fetch(`${full.url}/health/live`)).status).toBe(503);
      only.destroy();
    } finally {
      await full.close();
    }
  });

  it('ends without waiting for a connection that has had no request', async () => {
    const { hostname, port } = new URL(service.url);
    const silent = connect(Number(port), hostname);
    await once(silent, 'connect');
    // The connection of this call was accepted after the other one.
    await call('/health/live');
    const ended = once(silent, 'close');
    await Promise.all([service.close(), ended]);
  });

  it('ends its work when it is closed, and listens no longer', async () => {
    ended.length = 0;
    await service.close();
    expect(ended).toEqual(['worker']);
    await expect(call('/health/live')).rejects.toThrow();
  });
});

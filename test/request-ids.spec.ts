import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deleteBackupsId, getSchedules, pathOf, putSchedulesId } from '@strongroom/contracts';
import { z } from 'zod';
import type { AppProcess } from './app-process.js';
import { CustomerDatabase } from './customer-database.js';
import { Deployment } from './deployment.js';
import { eventually } from './services/eventually.js';
import { feedForTests } from './services/feed.js';
import { type CollectedSpan, TraceCollector } from './services/trace-collector.js';

let customer: CustomerDatabase;
let strongroom: Deployment;
let collector: TraceCollector;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-traces-'));
  customer = await CustomerDatabase.start({ megabytes: 5 });
  collector = await TraceCollector.start();
  strongroom = await Deployment.create({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } });
}, 120_000);
afterAll(async () => {
  await strongroom.remove();
  await collector.stop();
  await customer.stop();
  await rm(folder, { recursive: true });
});

const line = z.looseObject({
  msg: z.string(),
  requestId: z.string().optional(),
  trace_id: z.string().optional(),
  span_id: z.string().optional(),
});

describe('a request that makes a backup and its copies', () => {
  const ofClient = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
  let api: AppProcess;
  let backupId: string;
  let requestId: string | null;

  beforeAll(async () => {
    [api] = await strongroom.startAll();
    const scheduleId = await strongroom.schedule(api, await strongroom.register(api, customer.server));
    const path = pathOf(putSchedulesId, { accountId: strongroom.accountId, id: scheduleId });
    const { status, headers } = await fetch(new URL(path, api.url), {
      method: putSchedulesId.method,
      headers: {
        'x-auth-token': strongroom.token(),
        'content-type': 'application/json',
        'x-request-id': 'follow-me-1',
        traceparent: `00-${ofClient.trace}-${ofClient.span}-01`,
      },
      body: JSON.stringify({ schedule: { run_now: true } }),
    });
    requestId = headers.get('x-request-id');
    expect([status, requestId, headers.get('x-client-request-id'), headers.get('traceparent')]).toEqual([
      202,
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      'follow-me-1',
      null,
    ]);
    const [backup] = await strongroom.backups(api);
    backupId = backup?.id ?? '';
    await strongroom.untilCopied(api, backupId);
  }, 90_000);

  const linesOf = async (app: 'api' | 'scheduler' | 'replicator') =>
    (await readFile(strongroom.logFile(app), 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((text) => line.parse(JSON.parse(text)))
      .filter((each) => each.requestId === requestId);

  it('has its id in what every process logs of what follows from it', async () => {
    const said = async (app: 'api' | 'scheduler' | 'replicator') => (await linesOf(app)).map(({ msg }) => msg);
    await eventually(
      async () => {
        expect(await said('api')).toEqual(['answered']);
        expect(await said('scheduler')).toEqual(expect.arrayContaining(['backup begun', 'backup completed']));
        expect((await said('replicator')).filter((msg) => msg === 'copy completed')).toHaveLength(2);
      },
      { withinMs: 30_000 },
    );
  }, 60_000);

  it('is one trace, from the request to both copies, with the client as a link; the log has its ids', async () => {
    const [answered] = await linesOf('api');
    const traceId = answered?.trace_id;
    const ours = () => collector.spans.filter((span) => span.traceId === traceId);
    const named = (name: string) => ours().filter((span) => span.name === name);
    await eventually(
      async () => {
        expect(named('job copy')).toHaveLength(2);
        expect(named('job backup')).toHaveLength(1);
        expect(named('record CompleteCopy')).toHaveLength(2);
        expect(named('handle CopyCompleted').length + named('handle events').length).toBeGreaterThan(0);
      },
      { withinMs: 30_000 },
    );
    expect(collector.problems).toEqual([]);
    const byId = new Map(ours().map((span) => [span.spanId, span]));
    const wayTo = (span: CollectedSpan | undefined): string[] =>
      span ? [...wayTo(byId.get(span.parentSpanId ?? '')), `${span.service}: ${span.name}`] : [];
    const [request] = ours().filter(({ parentSpanId }) => !parentSpanId);
    expect(ours().filter(({ parentSpanId }) => !parentSpanId)).toHaveLength(1);
    expect(request).toMatchObject({
      name: expect.stringMatching(/^PUT .*schedules/),
      spanId: answered?.span_id,
      links: [{ traceId: ofClient.trace, spanId: ofClient.span }],
    });
    for (const copied of named('record CompleteCopy')) {
      expect(wayTo(copied)).toEqual([
        `strongroom-api: ${request?.name}`,
        'strongroom-api: record RequestBackup',
        'strongroom-scheduler: job backup',
        'strongroom-scheduler: record CompleteBackup',
        'strongroom-replicator: plan copies',
        'strongroom-replicator: record RequestCopy',
        'strongroom-replicator: job copy',
        'strongroom-replicator: record CompleteCopy',
      ]);
    }
    const [begun] = (await linesOf('scheduler')).filter(({ msg }) => msg === 'backup begun');
    expect(begun).toMatchObject({ trace_id: traceId, span_id: named('job backup')[0]?.spanId });
    // No trace of the client's is told as ours.
    expect(collector.spans.filter((span) => span.traceId === ofClient.trace)).toEqual([]);
  }, 60_000);

  it('has its place in the trace in each of its events and their messages', async () => {
    const rows = await strongroom.query(
      `select context->>'traceparent' as place from ledger_event where context->>'requestId' = '${requestId}'`,
    );
    expect(rows.length).toBeGreaterThan(5);
    const [answered] = await linesOf('api');
    for (const { place } of rows) expect(place).toMatch(new RegExp(`^00-${answered?.trace_id}-[0-9a-f]{16}-01$`));
    const published = collector.spans.filter(({ name }) => name.startsWith('publish '));
    const named = collector.spans.filter(({ name }) => name.startsWith('handle '));
    const about = [...published, ...named].filter(({ traceId, links }) =>
      [traceId, ...links.map((link) => link.traceId)].includes(answered?.trace_id ?? ''),
    );
    // The embedded feed publishes nothing.
    const doors = feedForTests().kind === 'kafka' ? ['publish', 'handle'] : ['handle'];
    expect(new Set(about.map(({ name }) => name.split(' ')[0]))).toEqual(new Set(doors));
  });

  it('loads nothing of OpenTelemetry where there is no collector, and a collector that is away holds nothing up', async () => {
    // It is loaded before the program, and tells at its end which packages the program has loaded.
    const told = join(folder, 'told.cjs');
    await writeFile(
      told,
      "process.on('exit', () => require('node:fs').writeFileSync(process.env.TOLD_TO, Object.keys(require('node:module')._cache).join('\\n')));",
    );
    const loadedBy = async (name: string, endpoint: string) => {
      const to = join(folder, name);
      const env = { NODE_OPTIONS: `--require ${told}`, TOLD_TO: to, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
      const process = await strongroom.start('api', env);
      await strongroom.backup(process, backupId);
      expect(await process.stop()).toBe(0);
      return (await readFile(to, 'utf8')).split('\n').filter((path) => /@opentelemetry\/(?!api\/)/.test(path)).length;
    };
    expect(await loadedBy('off', '')).toBe(0);
    expect(await loadedBy('on', 'http://127.0.0.1:9')).toBeGreaterThan(0);
  }, 60_000);

  it('goes on with retention, and with the removal of what was deleted in the trace of who deleted it', async () => {
    const traceOf = (named: (name: string) => boolean, traceId: string | undefined) =>
      collector.spans.filter((span) => named(span.name) && span.traceId === traceId);
    const [answered] = await linesOf('api');
    // One job for the backup and both copies, or up to three.
    expect(traceOf((name) => name === 'job retention', answered?.trace_id).length).toBeGreaterThan(0);
    const path = pathOf(deleteBackupsId, { accountId: strongroom.accountId, id: backupId });
    const { status } = await fetch(new URL(path, api.url), {
      method: deleteBackupsId.method,
      headers: { 'x-auth-token': strongroom.token() },
    });
    expect(status).toBe(202);
    await eventually(
      () => {
        const request = collector.spans.find(({ name }) => /^DELETE .*backups/.test(name));
        expect(traceOf((name) => name === 'job deletion', request?.traceId)).toHaveLength(1);
        expect(traceOf((name) => name === 'record ConfirmDeletion', request?.traceId)).toHaveLength(1);
      },
      { withinMs: 30_000 },
    );
  }, 60_000);

  it('is answered while the collector hangs: what is more than wait for it is left out, and counted', async () => {
    collector.hangs = true;
    const path = pathOf(getSchedules, { accountId: strongroom.accountId });
    const ask = async () => {
      const answer = await fetch(new URL(path, api.url), { headers: { 'x-auth-token': strongroom.token() } });
      await answer.arrayBuffer();
      return answer.status;
    };
    const asked = 3_000;
    const statuses = new Set<number>();
    for (let sent = 0; sent < asked; sent += 50) {
      for (const status of await Promise.all(Array.from({ length: 50 }, ask))) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([200]));
    const lost = Number(/^strongroom_spans_lost_total(?:\{[^}]*\})? (\d+)/m.exec(await api.metrics())?.[1]);
    expect(lost).toBeGreaterThanOrEqual(asked - 2_048);
    collector.hangs = false;
  }, 120_000);
});

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  deleteSchedulesId,
  exampleId,
  getDocs,
  getDocsReferenceJs,
  getEvents,
  getOpenapiJson,
  operations,
  pathOf,
} from '@strongroom/contracts';
import { z } from 'zod';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { openApiDocument } from './open-api.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open({ env: { STRONGROOM_BUILT_SERVERS: 'on' } });
});
afterAll(() => gateway.close());

describe('the documents of the API', () => {
  it('are there for whoever asks, without a token', async () => {
    const document = await gateway.call(getOpenapiJson, { as: 'nobody' });
    expect(document).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
    const page = await gateway.call(getDocs, { as: 'nobody' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.body).toContain(`<script src="${getDocsReferenceJs.path}"></script>`);
    // Nothing of the page is from elsewhere.
    expect(page.body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });

  it('have the script that draws the page, compressed for whoever takes that', async () => {
    const script = await gateway.call(getDocsReferenceJs, { as: 'nobody' });
    expect(script.status).toBe(200);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(script.body).toContain(`Scalar.createApiReference('#reference', { ...{"url":"${getOpenapiJson.path}"`);
    const encodings = await Promise.all(
      ['gzip, br', 'identity'].map(async (accepted) => {
        const url = `${gateway.url}${getDocsReferenceJs.path}`;
        const { headers, body } = await fetch(url, { headers: { 'accept-encoding': accepted } });
        await body?.cancel();
        return headers.get('content-encoding');
      }),
    );
    expect(encodings).toEqual(['gzip', null]);
  });
});

describe('every example in them', () => {
  const stream = z.object({ examples: z.object({ stream: z.object({ value: z.string() }) }) });
  const resource = z.record(z.string(), z.looseObject({ id: z.string().optional() }));

  const examples = operations.flatMap((operation) =>
    (operation.examples ?? []).map((example) => ({
      operation,
      example,
      method: operation.method,
      path: operation.path,
      name: example.name,
    })),
  );

  it.each(examples)('is answered as it says: $method $path, $name', async ({ example, operation }) => {
    const instance = await gateway.register();
    const completed = async () => {
      const backup = await gateway.backup(instance);
      await gateway.run(backup, instance, 'completed', { lineage: backup, facts: null });
      return backup;
    };
    const ids: Record<string, () => Promise<string>> = {
      schedules: () => gateway.schedule(instance),
      backups: completed,
      instances: () => Promise.resolve(instance),
      webhooks: async () =>
        (await gateway.client().webhooks.create({ name: 'example', url: 'https://127.0.0.1:1/', enabled: false })).id,
    };
    const [, kind = ''] = /(\w+)\/\{id\}/.exec(operation.path) ?? [];
    const id = (await ids[kind]?.()) ?? '';
    // Only what somebody else has deleted can be approved.
    const deleted = { trigger: 'request', rootId: id, purgeAt: '2126-11-24T00:00:00.000Z' } as const;
    if (example.name === 'approve') {
      await gateway.onBackup(id, instance, { type: 'MarkDeletion', backupId: id, accountId, ...deleted });
    }
    // The id in the example names nothing here, so it is replaced by the id of such a thing.
    const things: Record<string, () => Promise<string>> = {
      restore: completed,
      accept: completed,
      replay: async () => (await gateway.events()).at(-1)?.id ?? '',
    };
    const there = (await things[example.name]?.()) ?? instance;
    const body: unknown = JSON.parse(JSON.stringify(example.request).replaceAll(exampleId, there));
    const answer = await gateway.call(operation, { id, body });
    // A request that only asks is answered at once.
    expect(answer.status).toBe(operation.answer && example.name === 'test' ? 200 : operation.status);
    const { response } = example;
    if (response === undefined) return;
    const [[key = '', expected] = []] = Object.entries(resource.parse(response));
    const given = resource.parse(answer.body)[key];
    expect(Object.keys(given ?? {}).sort()).toEqual(Object.keys(expected ?? {}).sort());
    const asked = z.record(z.string(), z.record(z.string(), z.unknown())).parse(body)[key];
    const { action, day_of_week, hour, minute, copy_to } = asked ?? {};
    expect(given).toMatchObject({ action, day_of_week, hour, minute, copy_to, instance_id: instance });
  });

  it('is told as it says by the stream of events, after the last that was seen', async () => {
    const schedule = await gateway.schedule(await gateway.register());
    const seen = (await gateway.events()).at(-1)?.id ?? '';
    await gateway.call(deleteSchedulesId, { id: schedule });
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    const head = ['Host: x', `X-Auth-Token: ${gateway.tokenOf('admin')}`, 'Accept: text/event-stream'];
    socket.write(
      `GET ${pathOf(getEvents, { accountId })} HTTP/1.0\r\n${head.join('\r\n')}\r\nLast-Event-ID: ${seen}\r\n\r\n`,
    );
    let wire = '';
    for await (const chunk of socket) {
      wire += chunk;
      if (wire.split('\n\n').length > 2) break;
    }
    const [, told = ''] = wire.split('\r\n\r\n');
    const content = openApiDocument().paths[getEvents.path]?.get;
    const [{ examples }] = z
      .object({ responses: z.object({ 200: z.object({ content: z.object({ 'text/event-stream': stream }) }) }) })
      .transform(({ responses }) => [responses[200].content['text/event-stream']] as const)
      .parse(content);
    const lines = (text: string) => text.split('\n').map((line) => line.replace(/: .*/, ''));
    expect(lines(told)).toEqual(lines(examples.stream.value));
    expect(told).toContain('event: ScheduleDeleted');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { Gateway } from '../fixtures/gateway.js';
import { idOf, operations } from './operations.js';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.open();
});
afterAll(() => gateway.close());

describe('the documents of the API', () => {
  it('are there for whoever asks, without a token', async () => {
    const document = await gateway.request('GET', '/openapi.json', { as: 'nobody' });
    expect(document).toMatchObject({ status: 200, body: { openapi: '3.1.0' } });
    const page = await gateway.request('GET', '/docs', { as: 'nobody' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const operation of operations.filter(({ foreign }) => !foreign)) {
      expect(page.body).toContain(`id="${idOf(operation)}"`);
    }
  });
});

describe('every example in them', () => {
  const resource = z.record(z.string(), z.looseObject({ id: z.string().optional() }));

  it.each(operations.filter(({ example }) => example))('is answered as it says: $method $path', async (operation) => {
    const instance = await gateway.register();
    const ids: Record<string, () => Promise<string>> = {
      schedules: () => gateway.schedule(instance),
      backups: async () => {
        const backup = await gateway.backup(instance);
        await gateway.run(backup, instance, 'completed');
        return backup;
      },
    };
    const [, kind = ''] = /(\w+)\/\{id\}/.exec(operation.path) ?? [];
    const id = (await ids[kind]?.()) ?? '';
    const path = operation.path.replace('/v1.0/{accountId}', '').replace('{id}', id);
    // The ids of the example are of nothing here: its instance is.
    const body: unknown = JSON.parse(
      JSON.stringify(operation.example?.request).replaceAll('44b277eb-39be-4921-be31-3d61b43651d7', instance),
    );
    const answer = await gateway.call(operation.method, path, { body });
    expect(answer.status).toBe(operation.status);
    const { response } = operation.example ?? {};
    if (response === undefined) return;
    const [[key = '', expected] = []] = Object.entries(resource.parse(response));
    const given = resource.parse(answer.body)[key];
    expect(Object.keys(given ?? {}).sort()).toEqual(Object.keys(expected ?? {}).sort());
    const asked = z.record(z.string(), z.record(z.string(), z.unknown())).parse(body)[key];
    const { action, day_of_week, hour, minute, copy_to } = asked ?? {};
    expect(given).toMatchObject({ action, day_of_week, hour, minute, copy_to, instance_id: instance });
  });
});

import { describe, expect, it } from '@jest/globals';
import { checkNewEvent, parseEvent, parseEventOrNewer } from './events.js';

const id = '01a21329-c1dc-77af-a7f4-d076faf211d0';
const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'shop', tls: 'disable' } as const;
const data = { instanceId: id, name: 'orders', datastore: { type: 'postgresql', version: '18' }, endpoint } as const;
const recorded = {
  ...{ id, position: 7, stream: `instance-${id}`, version: 1, type: 'InstanceRegistered', accountId: 'acme' },
  ...{ instanceId: id, at: '2026-11-25T14:30:00.000Z', data },
  context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
};

describe('an event', () => {
  it('is read without the fields that a newer version has added to it, wherever they are', () => {
    const wider = {
      ...recorded,
      region: 'DFW',
      context: { ...recorded.context, tenant: 't' },
      data: { ...data, mood: 'fine', endpoint: { ...endpoint, proxy: { host: 'p' } } },
    };
    expect(parseEvent(wider)).toEqual(recorded);
  });

  it('of a type that a newer version has added is told from one that is not of its form', () => {
    expect(parseEventOrNewer({ ...recorded, type: 'InstanceTeleported', data: 1 })).toEqual({
      newerType: 'InstanceTeleported',
    });
    expect(parseEventOrNewer(recorded)).toEqual(recorded);
    const unreadable = [{ type: 'InstanceTeleported' }, { ...recorded, data: { ...data, name: 1, mood: 'fine' } }];
    for (const each of unreadable) expect(() => parseEventOrNewer(each)).toThrow();
    expect(() => parseEvent({ ...recorded, type: 'InstanceTeleported' })).toThrow();
  });

  it('is recorded in its form and no other', () => {
    checkNewEvent({ type: 'InstanceRegistered', data });
    const wider = { ...data, mood: 'fine' };
    expect(() => checkNewEvent({ type: 'InstanceRegistered', data: wider })).toThrow(/mood/);
  });
});

import { describe, expect, it } from '@jest/globals';
import { isKnownType, parseEvent, parseEventOrNewer } from './parse-event.js';
import { checkNewEvent } from './recorded-events.js';

const id = '01a21329-c1dc-77af-a7f4-d076faf211d0';
const endpoint = { host: 'db', port: 5432, user: 'backup', database: 'shop', tls: 'disable' } as const;
const data = { instanceId: id, name: 'orders', datastore: { type: 'postgresql', version: '18' }, endpoint } as const;
const recorded = {
  id,
  position: 7,
  stream: `instance-${id}`,
  version: 1,
  type: 'InstanceRegistered',
  accountId: 'acme',
  instanceId: id,
  at: '2026-11-25T14:30:00.000Z',
  data,
  context: { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' },
};

describe('an event', () => {
  it('is read without the fields that a newer version has added, at any depth', () => {
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

  it('counts only in a stream of its own kind: who may write to one kind must not change another', () => {
    for (const stream of [`copy-${id}`, `backup-${id}`, `elsewhere-${id}`, id]) {
      expect(() => parseEvent({ ...recorded, stream })).toThrow(/no event of the stream/);
      expect(() => parseEventOrNewer({ ...recorded, stream })).toThrow(/no event of the stream/);
    }
  });

  describe('with a value that a newer version has added', () => {
    const newer = { ...recorded, data: { ...data, datastore: { type: 'mariadb', version: '11' }, mood: 'fine' } };
    const newerType = 'InstanceRegistered datastore.type=mariadb';

    it('counts as one of a newer type', () => {
      expect(parseEventOrNewer(newer)).toEqual({ newerType });
      expect(() => parseEvent(newer)).toThrow(/datastore/);
    });

    it('is a known type again in a version that knows the value', () => {
      expect(isKnownType(newerType)).toBe(false);
      expect(isKnownType('InstanceRegistered datastore.type=postgresql')).toBe(true);
      expect(isKnownType('BackupRequested trigger=by-hand')).toBe(false);
      expect(isKnownType('BackupRequested trigger=run-now')).toBe(true);
      expect(isKnownType('InstanceTeleported')).toBe(false);
      expect(isKnownType('InstanceRegistered')).toBe(true);
    });

    it('is told from one that is not of its form', () => {
      for (const wrong of [
        { datastore: { type: 7, version: '11' } },
        { datastore: { type: 'mariadb' } },
        { name: 1 },
      ]) {
        expect(() => parseEventOrNewer({ ...newer, data: { ...newer.data, ...wrong } })).toThrow();
      }
    });
  });

  it('is recorded in its form and no other', () => {
    checkNewEvent({ type: 'InstanceRegistered', data });
    const wider = { ...data, mood: 'fine' };
    expect(() => checkNewEvent({ type: 'InstanceRegistered', data: wider })).toThrow(/mood/);
  });
});

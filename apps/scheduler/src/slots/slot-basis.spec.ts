import { describe, expect, it } from '@jest/globals';
import { parseEvent, type RecordedEvent, streamOf } from '@strongroom/contracts';
import { dueSlots } from '@strongroom/domain';
import fc from 'fast-check';
import { basisIn, keptWith, type SlotBasis } from './slot-basis.js';
import type { SlotTimer } from './slot-timers.js';

const dayMs = 86_400_000;
const hourMs = dayMs / 24;
const [scheduleId, instanceId] = ['01a21329-c1dc-77af-a7f4-d076faf211d0', '01a21329-c1dc-77af-a7f4-d076faf211d1'];
const began = Date.parse('2026-11-20T00:00:00.000Z');

function told(stream: string, version: number, type: string, at: number, data: object): RecordedEvent {
  const context = { requestId: 'r', correlationId: 'r', causationId: null, actor: 'spec' };
  const id = `01a21329-c1dc-77af-a7f4-${String(version).padStart(12, '0')}`;
  const [accountId, position] = ['acme', version];
  return parseEvent({
    ...{ id, position, stream, version, type },
    accountId,
    instanceId,
    at: new Date(at).toISOString(),
    data,
    context,
  });
}

const registered = told(streamOf('instance', instanceId), 1, 'InstanceRegistered', began, {
  instanceId,
  name: 'orders',
  datastore: { type: 'postgresql', version: '18' },
  endpoint: { host: 'db', port: 5432, user: 'backup', database: 'postgres', tls: 'disable' },
});
const timer = (nextSlotAt: Date, basis: unknown = null): SlotTimer => ({
  ...{ scheduleId, instanceId, nextSlotAt, basis },
  accountId: 'acme',
  ahead: [],
});
const definition = { dayOfWeek: 2, hour: 2, minute: 0, fullBackupRetention: 2, copyTo: ['IAD'], paused: false };
const created = (at: number, changes: Partial<typeof definition> = {}, version = 1) =>
  told(streamOf('schedule', scheduleId), version, version === 1 ? 'ScheduleCreated' : 'ScheduleUpdated', at, {
    ...{ scheduleId, instanceId, ...definition, ...changes },
  });

function readOf(at: SlotTimer, now: Date, schedule: RecordedEvent[]): SlotBasis {
  const basis = basisIn(at, now, { schedule, instance: [registered] });
  if ('is' in basis) throw new Error(`there is no basis: ${basis.is}`);
  return basis;
}
/** As it comes back from the database. */
const kept = (basis: SlotBasis): unknown => JSON.parse(JSON.stringify(basis.toKeep));

describe('what is kept with a timer', () => {
  it('gives the slots that the ledger gives, whatever changes there were and whenever the next slot is looked at', () => {
    const change = fc.record({
      afterMs: fc.integer({ min: -2 * hourMs, max: 2 * dayMs }),
      dayOfWeek: fc.integer({ min: 0, max: 7 }),
      hour: fc.integer({ min: 0, max: 23 }),
      minute: fc.integer({ min: 0, max: 59 }),
      paused: fc.boolean(),
    });
    let used = 0;
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: -dayMs, max: 5 * dayMs }),
        fc.integer({ min: 0, max: 4 * dayMs }),
        (changes, slotMs, lateMs) => {
          let at = began;
          const history = changes.map(({ afterMs, ...changed }, index) => {
            // A clock that was put back dates a change before the one that it follows.
            at += afterMs;
            return created(at, changed, index + 1);
          });
          const nextSlotAt = new Date(Math.floor((at + slotMs) / 60_000) * 60_000);
          const now = new Date(nextSlotAt.getTime() + lateMs);
          const read = readOf(timer(nextSlotAt), now, history);
          const from = keptWith(timer(nextSlotAt, kept(read)), now);
          if (!from) return;
          used += 1;
          const slots = ({ spans }: SlotBasis) => dueSlots(spans, nextSlotAt, now, dayMs / 2);
          expect(slots(from)).toEqual(slots(read));
          expect(from.reliesOn).toEqual(read.reliesOn);
          expect(from.instance).toEqual(read.instance);
        },
      ),
    );
    expect(used).toBeGreaterThan(10);
  });

  it.each([
    ['there is nothing', null],
    ['it has another form', { since: 'yesterday' }],
    ['it was read for another account', { accountId: 'globex' }],
    ['it was read for another instance', { instanceId: scheduleId }],
    ['the schedule was changed at or after the slot', { since: '2026-11-26T02:00:00.000Z' }],
  ])('is not used when %s', (_, changed) => {
    const slotAt = new Date('2026-11-26T02:00:00.000Z');
    const whole = kept(readOf(timer(slotAt), slotAt, [created(began)]));
    expect(keptWith(timer(slotAt, whole), slotAt)).toBeDefined();
    const other = changed && { ...Object(whole), ...changed };
    expect(keptWith(timer(slotAt, other), slotAt)).toBeUndefined();
  });

  it('is not used for a slot that a wrong clock has decided before its time, nor by a clock that is before the change', () => {
    const slotAt = new Date('2026-11-26T02:00:00.000Z');
    const whole = kept(readOf(timer(slotAt), slotAt, [created(began)]));
    expect(keptWith({ ...timer(slotAt, whole), ahead: [slotAt] }, slotAt)).toBeUndefined();
    expect(keptWith(timer(slotAt, whole), new Date(began - 1))).toBeUndefined();
  });
});

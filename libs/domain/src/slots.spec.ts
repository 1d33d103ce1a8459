import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dueSlots, nextSlot, plannedType } from './slots.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const at = (iso: string) => new Date(iso);
const anyTime = fc.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.integer({ min: 0, max: 59 }) });
const anyInstant = fc.date({ min: at('2000-01-01T00:00:00Z'), max: at('2099-12-31T23:59:59Z'), noInvalidDate: true });

describe('the next slot', () => {
  it('is today when the time of day is still to come, as in the reference example', () => {
    expect(nextSlot({ hour: 14, minute: 30 }, at('2020-11-14T07:28:17Z'))).toEqual(at('2020-11-14T14:30:00Z'));
  });

  it('is tomorrow at the very instant of a slot', () => {
    expect(nextSlot({ hour: 14, minute: 30 }, at('2020-11-14T14:30:00Z'))).toEqual(at('2020-11-15T14:30:00Z'));
  });

  it('knows leap days, the ends of years, and the year 2038', () => {
    expect(nextSlot({ hour: 0, minute: 0 }, at('2028-02-28T00:00:00Z'))).toEqual(at('2028-02-29T00:00:00Z'));
    expect(nextSlot({ hour: 0, minute: 0 }, at('2026-12-31T00:00:01Z'))).toEqual(at('2027-01-01T00:00:00Z'));
    expect(nextSlot({ hour: 3, minute: 14 }, at('2038-01-19T03:14:08Z'))).toEqual(at('2038-01-20T03:14:00Z'));
  });

  it('comes after any instant, within a day, at the time of day asked for', () => {
    fc.assert(
      fc.property(anyTime, anyInstant, (time, after) => {
        const slot = nextSlot(time, after);
        const waitMs = slot.getTime() - after.getTime();
        expect(waitMs).toBeGreaterThan(0);
        expect(waitMs).toBeLessThanOrEqual(dayMs);
        expect([slot.getUTCHours(), slot.getUTCMinutes(), slot.getUTCSeconds()]).toEqual([time.hour, time.minute, 0]);
      }),
    );
  });
});

describe('the type of a slot', () => {
  it('is full on its day of the week and incremental on the others', () => {
    const sunday = at('2026-11-22T14:30:00Z');
    const types = Array.from({ length: 7 }, (_, day) => plannedType(0, new Date(sunday.getTime() + day * dayMs)));
    expect(types).toEqual(['full', ...Array.from({ length: 6 }, () => 'incremental')]);
  });

  it('is full every day for day 7, which is no Sunday here', () => {
    expect(plannedType(7, at('2026-11-22T14:30:00Z'))).toBe('full');
    expect(plannedType(7, at('2026-11-25T14:30:00Z'))).toBe('full');
  });
});

describe('slots that came due', () => {
  const daily = { hour: 2, minute: 0 };
  const slot = at('2026-11-20T02:00:00Z');

  it('fires the slot that is due', () => {
    expect(dueSlots(daily, slot, at('2026-11-20T02:00:01Z'), 12 * hourMs)).toEqual({
      missed: [],
      fire: slot,
      next: at('2026-11-21T02:00:00Z'),
    });
  });

  it('makes up for at most the newest slot after an outage, and says of the others that they were missed', () => {
    expect(dueSlots(daily, slot, at('2026-11-22T05:00:00Z'), 12 * hourMs)).toEqual({
      missed: [slot, at('2026-11-21T02:00:00Z')],
      fire: at('2026-11-22T02:00:00Z'),
      next: at('2026-11-23T02:00:00Z'),
    });
  });

  it('makes up for nothing that is older than the catch-up window', () => {
    expect(dueSlots(daily, slot, at('2026-11-20T15:00:00Z'), 12 * hourMs)).toEqual({
      missed: [slot],
      fire: undefined,
      next: at('2026-11-21T02:00:00Z'),
    });
  });

  it('decides nothing before its time', () => {
    expect(dueSlots(daily, slot, at('2026-11-20T01:59:59Z'), hourMs)).toEqual({
      missed: [],
      fire: undefined,
      next: slot,
    });
  });

  it('judges every slot once, none twice and none never, however the outage is cut into looks', () => {
    fc.assert(
      fc.property(
        anyTime,
        fc.array(fc.integer({ min: 1, max: 5 * dayMs }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 2 * dayMs }),
        fc.integer({ min: 1, max: 4 }),
        (time, waits, catchUpMs, limit) => {
          const start = nextSlot(time, at('2026-01-01T00:00:00Z'));
          let from = start;
          let now = start.getTime() - 1;
          const judged: number[] = [];
          for (const wait of waits) {
            now += wait;
            for (;;) {
              const { missed, fire, next } = dueSlots(time, from, new Date(now), catchUpMs, limit);
              judged.push(...missed.map(Number), ...(fire ? [Number(fire)] : []));
              if (next.getTime() === from.getTime()) break;
              from = next;
            }
          }
          const due: number[] = [];
          for (let slotAt = start; slotAt.getTime() <= now; slotAt = nextSlot(time, slotAt)) due.push(slotAt.getTime());
          expect(judged).toEqual(due);
        },
      ),
    );
  });
});

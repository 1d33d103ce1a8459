import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ScheduleDefinition } from './schedule.js';
import { type DefinedSince, definitionAt, dueSlots, nextSlot, plannedType, slotsOf } from './slots.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const at = (iso: string) => new Date(iso);
const anyTime = fc.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.integer({ min: 0, max: 59 }) });
const anyInstant = fc.date({ min: at('2000-01-01T00:00:00Z'), max: at('2099-12-31T23:59:59Z'), noInvalidDate: true });

describe('the next slot', () => {
  it('is today when the time of day is still to come, as in the reference example', () => {
    expect(nextSlot({ hour: 14, minute: 30 }, at('2020-11-14T07:28:17Z'))).toEqual(at('2020-11-14T14:30:00Z'));
  });

  it('is tomorrow when the instant is that of a slot', () => {
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

const definition = { dayOfWeek: 0, fullBackupRetention: 2, copyTo: [], hour: 2, minute: 0, paused: false };
const daily = (since: string, changes: Partial<ScheduleDefinition> = {}): DefinedSince => ({
  since: at(since),
  definition: { ...definition, ...changes },
});
describe('what a schedule said at a slot', () => {
  it('is the definition that was in force then, no matter what was edited and when', () => {
    const edits = fc.array(fc.record({ afterMs: fc.nat(3 * dayMs), dayOfWeek: fc.integer({ min: 0, max: 7 }) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        const spans = [daily('2026-03-02T00:00:00Z')];
        for (const { afterMs, dayOfWeek } of changes) {
          const since = new Date((spans.at(-1)?.since.getTime() ?? 0) + afterMs);
          spans.push({ since, definition: { ...definition, dayOfWeek } });
        }
        let left = 40;
        for (const { slotAt, definition: inForce } of slotsOf(spans, at('2026-03-01T00:00:00Z'))) {
          expect(definitionAt(spans, slotAt)).toEqual(inForce);
          left -= 1;
          if (left === 0) break;
        }
      }),
    );
  });

  it('is the first definition for a slot that is older than the schedule', () => {
    expect(definitionAt([daily('2026-03-02T00:00:00Z')], at('2026-03-01T00:00:00Z'))).toEqual(definition);
    expect(() => definitionAt([], at('2026-03-01T00:00:00Z'))).toThrow(RangeError);
  });
});

/** The instants alone. */
const judged = (...args: Parameters<typeof dueSlots>) => {
  const { paused, missed, fire, next } = dueSlots(...args);
  const instants = (slots: { slotAt: Date }[]) => slots.map(({ slotAt }) => slotAt);
  return { paused: instants(paused), missed: instants(missed), fire: fire?.slotAt, next };
};

describe('slots that came due', () => {
  const always = [daily('2026-11-01T00:00:00Z')];
  const slot = at('2026-11-20T02:00:00Z');

  it('fires the slot that is due', () => {
    expect(judged(always, slot, at('2026-11-20T02:00:01Z'), 12 * hourMs)).toEqual({
      paused: [],
      missed: [],
      fire: slot,
      next: at('2026-11-21T02:00:00Z'),
    });
  });

  it('makes up for at most the newest slot after an outage, and says of the others that they were missed', () => {
    expect(judged(always, slot, at('2026-11-22T05:00:00Z'), 12 * hourMs)).toEqual({
      paused: [],
      missed: [slot, at('2026-11-21T02:00:00Z')],
      fire: at('2026-11-22T02:00:00Z'),
      next: at('2026-11-23T02:00:00Z'),
    });
  });

  it('makes up for nothing that is older than the catch-up window', () => {
    expect(judged(always, slot, at('2026-11-20T15:00:00Z'), 12 * hourMs)).toEqual({
      paused: [],
      missed: [slot],
      fire: undefined,
      next: at('2026-11-21T02:00:00Z'),
    });
  });

  it('decides nothing before its time', () => {
    expect(judged(always, slot, at('2026-11-20T01:59:59Z'), hourMs)).toEqual({
      paused: [],
      missed: [],
      fire: undefined,
      next: slot,
    });
  });

  it('in a pause are skipped, though the schedule was resumed before anybody looked', () => {
    const spans = [
      daily('2026-11-01T00:00:00Z', { paused: true }),
      daily('2026-11-20T02:00:00.500Z', { paused: false }),
    ];
    expect(judged(spans, slot, at('2026-11-20T02:00:01Z'), 12 * hourMs)).toEqual({
      paused: [slot],
      missed: [],
      fire: undefined,
      next: at('2026-11-21T02:00:00Z'),
    });
  });

  it('before a pause are not fired in it', () => {
    const spans = [...always, daily('2026-11-20T03:00:00Z', { paused: true })];
    expect(judged(spans, slot, at('2026-11-20T04:00:00Z'), 12 * hourMs)).toMatchObject({
      paused: [slot],
      fire: undefined,
    });
  });

  it('before an edit stay due, as they were defined then', () => {
    const spans = [...always, daily('2026-11-20T08:00:00Z', { hour: 10, copyTo: ['IAD'] })];
    expect(dueSlots(spans, slot, at('2026-11-20T09:00:00Z'), 12 * hourMs)).toMatchObject({
      fire: { slotAt: slot, definition: { copyTo: [] } },
      next: at('2026-11-20T10:00:00Z'),
    });
    expect(judged(spans, slot, at('2026-11-20T10:00:00Z'), 12 * hourMs)).toMatchObject({
      missed: [slot],
      fire: at('2026-11-20T10:00:00Z'),
    });
  });

  it('have one outcome each, for any edits and pauses, any delay of their news, and any times at which they are judged', () => {
    const minutes = (most: number) => fc.integer({ min: 1, max: most });
    const edit = fc.record({
      afterMs: fc.integer({ min: 1, max: 2 * dayMs }),
      heardAfterMs: fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: dayMs })),
      hour: fc.integer({ min: 0, max: 23 }),
      // There are few minutes, so that some edits return to an earlier time.
      minute: fc.constantFrom(0, 1, 30),
      paused: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.array(fc.oneof(minutes(5), minutes(1_440)), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 2 * dayMs }),
        fc.integer({ min: 1, max: 4 }),
        (edits, waits, catchUpMs, limit) => {
          const spans: DefinedSince[] = [];
          const events: { atMs: number; do: () => void }[] = [];
          const outcomes = new Map<number, 'paused' | 'missed' | 'fired'>();
          let timer: Date | undefined;
          let atMs = Date.parse('2026-11-20T00:00:00Z');
          let heardMs = 0;
          const told: DefinedSince[] = edits.map(({ afterMs, heardAfterMs, ...changes }) => {
            atMs += afterMs;
            const span = { since: new Date(atMs), definition: { ...definition, ...changes } };
            // News comes in order.
            heardMs = Math.max(heardMs, atMs + heardAfterMs);
            events.push({ atMs, do: () => void spans.push(span) });
            events.push({
              atMs: heardMs,
              do: () => {
                const first = nextSlot(span.definition, span.since);
                timer = timer && timer < first ? timer : first;
              },
            });
            return span;
          });
          const look = (now: Date) => {
            while (timer && timer <= now) {
              const { paused, missed, fire, next } = dueSlots(spans, timer, now, catchUpMs, limit);
              // The id of the slot is its lock: a second decision changes nothing.
              const decide = (outcome: 'paused' | 'missed' | 'fired', slots: { slotAt: Date }[]) => {
                for (const { slotAt } of slots) {
                  if (slotAt > now) throw new Error(`the slot of ${slotAt.toISOString()} was decided before its time`);
                  if (!outcomes.has(slotAt.getTime())) outcomes.set(slotAt.getTime(), outcome);
                }
              };
              decide('paused', paused);
              decide('missed', missed);
              decide('fired', fire ? [fire] : []);
              timer = next;
            }
          };
          let lookMs = Date.parse('2026-11-20T00:00:00Z');
          for (const wait of waits) {
            lookMs += wait * 60_000 + 250;
            const now = new Date(lookMs);
            events.push({ atMs: lookMs, do: () => look(now) });
          }
          const endMs = Math.max(...events.map((event) => event.atMs)) + dayMs;
          events.push({ atMs: endMs, do: () => look(new Date(endMs)) });
          // The sort is stable: events of one instant keep the order above.
          for (const event of events.toSorted((a, b) => a.atMs - b.atMs)) event.do();

          const nominal: number[] = [];
          let definedBy = -1;
          for (let minute = Date.parse('2026-11-20T00:00:00Z'); minute <= endMs; minute += 60_000) {
            while ((told[definedBy + 1]?.since.getTime() ?? Number.POSITIVE_INFINITY) < minute) definedBy += 1;
            const inForce = told[definedBy]?.definition;
            if (!inForce || (minute / 60_000) % 1_440 !== inForce.hour * 60 + inForce.minute) continue;
            nominal.push(minute);
            if (inForce.paused) expect(outcomes.get(minute)).toBe('paused');
          }
          expect([...outcomes.keys()].sort((a, b) => a - b)).toEqual(nominal);
        },
      ),
      { numRuns: 200 },
    );
  });
});

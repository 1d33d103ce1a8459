import { describe, expect, it } from '@jest/globals';
import { SlotWatch } from './slot-watch.js';

const at = (clock: string) => new Date(`2026-11-24T${clock}Z`);
const dayMs = 86_400_000;

/** A watch that has looked at these times. @param seenAt when schedulers were last seen before the first of them */
function watched(times: string[], seenAt?: string): SlotWatch {
  const watch = new SlotWatch();
  for (const [index, time] of times.entries()) {
    watch.look({ now: at(time), ...(index === 0 && seenAt !== undefined && { seenAt: at(seenAt) }) });
  }
  return watch;
}

describe('a slot that is decided late', () => {
  it('is in time within a minute', () => {
    expect(watched(['02:00:30'], '02:00:00').delayOf(at('02:00:00'), at('02:00:30'), false)).toBeUndefined();
  });

  it('says from when to when no scheduler looked, when it was due meanwhile', () => {
    expect(watched(['02:30:00', '02:30:01'], '01:58:00').delayOf(at('02:00:00'), at('02:30:01'), false)).toEqual({
      ground: 'no-scheduler',
      reason:
        "No scheduler looked for slots from 2026-11-24T01:58:00Z to 2026-11-24T02:30:00Z: none ran, or none reached the ledger's database.",
      delayMs: 1_801_000,
    });
    // As when the process was frozen, or its database was away.
    expect(watched(['01:59:00', '02:30:00']).delayOf(at('02:00:00'), at('02:30:00'), false)).toMatchObject({
      reason: expect.stringContaining('from 2026-11-24T01:59:00Z to 2026-11-24T02:30:00Z'),
    });
  });

  it('says that none is known to have looked before, where nothing is written down', () => {
    expect(watched(['02:30:00']).delayOf(at('02:00:00'), at('02:30:00'), false)).toMatchObject({
      ground: 'no-scheduler',
      reason: 'No scheduler is known to have looked for slots before 2026-11-24T02:30:00Z.',
    });
  });

  it('does not say so when schedulers looked all the time', () => {
    const looking = watched(['01:59:00', '01:59:59', '02:00:50', '02:01:40', '02:02:30'], '01:58:30');
    expect(looking.delayOf(at('02:00:00'), at('02:02:30'), false)).toMatchObject({
      ground: 'decided-late',
      reason: expect.stringContaining('Schedulers looked for slots'),
    });
  });

  it('says when a wrong clock had decided it before its time', () => {
    expect(watched(['02:30:00'], '02:29:59').delayOf(at('02:00:00'), at('02:30:00'), true)).toMatchObject({
      ground: 'clock-was-wrong',
    });
  });
});

describe('a slot that is missed', () => {
  it('says since when nothing ran, and how late it was found', () => {
    const watch = watched(['23:00:00'], '01:58:00');
    const told = { inItsPlace: undefined, catchUpMs: dayMs / 2 };
    expect(watch.whyMissed(at('02:00:00'), at('23:00:00'), told)).toBe(
      "No scheduler looked for slots from 2026-11-24T01:58:00Z to 2026-11-24T23:00:00Z: none ran, or none reached the ledger's database. It was found 1260 min late, and a slot is made up for within 720 min (STRONGROOM_CATCH_UP_MINUTES).",
    );
  });

  it('names the later slot that is made up for in its place', () => {
    const told = { inItsPlace: at('03:00:00'), catchUpMs: dayMs };
    expect(watched(['23:00:00'], '01:58:00').whyMissed(at('02:00:00'), at('23:00:00'), told)).toContain(
      'Only the newest slot is made up for, which is that of 2026-11-24T03:00:00Z.',
    );
  });
});

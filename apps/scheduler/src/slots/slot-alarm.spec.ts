import { describe, expect, it } from '@jest/globals';
import { SlotAlarm } from './slot-alarm.js';

const now = Date.parse('2026-11-26T02:00:00.000Z');

function alarm() {
  const heard = new SlotAlarm();
  let woken = 0;
  heard.onSet(() => {
    woken += 1;
  });
  return { heard, woken: () => woken };
}

describe('the alarm of a process', () => {
  it('wakes the loop for a timer that rings before its next look, and for no other', () => {
    const { heard, woken } = alarm();
    heard.set(new Date(now + 3_600_000), now);
    expect([woken(), heard.inMs(now)]).toEqual([0, Number.POSITIVE_INFINITY]);
    heard.set(new Date(now + 4_000), now);
    expect([woken(), heard.inMs(now)]).toEqual([1, 4_000]);
    heard.set(new Date(now + 9_000), now);
    expect([woken(), heard.inMs(now)]).toEqual([1, 4_000]);
    heard.set(new Date(now + 1_000), now);
    expect([woken(), heard.inMs(now)]).toEqual([2, 1_000]);
  });

  it('has the loop look for a while when the time has come, because the timer may not be committed yet', () => {
    const { heard, woken } = alarm();
    heard.set(new Date(now - 500), now);
    expect(woken()).toBe(1);
    expect(heard.inMs(now)).toBeLessThanOrEqual(100);
    expect(heard.inMs(now + 1_900)).toBeLessThanOrEqual(100);
    expect(heard.inMs(now + 2_100)).toBe(Number.POSITIVE_INFINITY);
    heard.set(new Date(now + 2_000), now + 2_200);
    expect(woken()).toBe(2);
  });
});

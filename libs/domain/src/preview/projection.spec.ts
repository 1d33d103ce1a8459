import { describe, expect, it } from '@jest/globals';
import type { ScheduleDefinition } from '../schedule.js';
import { type PreviewBasis, type PreviewedBackup, project } from './projection.js';
import { bytesKeptBy, differs, whyFate } from './told-fate.js';

const scheduleId = '88b277eb-39be-4921-be31-3d61b43651d7';
const dayMs = 86_400_000;
const now = new Date('2027-01-01T18:00:00.000Z');
const daily: ScheduleDefinition = {
  ...{ dayOfWeek: 7, hour: 14, minute: 30, fullBackupRetention: 2, copyTo: [], paused: false },
};
const spansOf = (...definitions: [at: string, changes: Partial<ScheduleDefinition>][]) =>
  definitions.map(([at, changes]) => ({ since: new Date(at), definition: { ...daily, ...changes } }));

/** A full backup of each of the last days, the oldest first. */
function basisOf(days: number, fields: Partial<PreviewBasis> = {}): PreviewBasis {
  const backups = Array.from({ length: days }, (_, index): PreviewedBackup => {
    const slotAt = new Date(Date.parse('2027-01-01T14:30:00.000Z') - (days - 1 - index) * dayMs);
    return {
      ...{ id: `backup ${index}`, scheduleId, slotAt, trigger: 'slot', type: 'full', parentId: null, copyTo: [] },
      ...{ status: 'COMPLETED', madeFull: null, lineage: 'a', region: 'DFW', fault: null, putOff: null },
      ...{ isKeptByHand: false, completedAt: slotAt, mark: null, isOnHold: false, isDeleteFailed: false },
    };
  });
  return {
    ...{ scheduleId, now, rules: { delayMs: 0, minimumMs: 0 }, served: ['DFW'], homeRegion: 'DFW' },
    ...{ accepted: new Map(), backups, copies: new Map(), ...fields },
  };
}

describe('a projected schedule', () => {
  it('tells until when what it keeps stays at least, where it would have to look too far', () => {
    const { fates, until } = project(
      spansOf(['2020-01-01T00:00:00.000Z', { fullBackupRetention: 5_000 }]),
      basisOf(1_500),
    );
    expect(fates.get('backup 0')).toEqual({
      ...{ is: 'kept', ground: 'beyond-preview' },
      reason: `It stays until ${until.toISOString()} at least: the preview looks no farther.`,
    });
    expect(until.getTime()).toBeGreaterThan(now.getTime() + 30 * dayMs);
  });

  it('keeps the bytes of what goes for as long as the minimum retention, and says so', () => {
    const rules = { delayMs: dayMs, minimumMs: 10 * dayMs };
    const { fates } = project(spansOf(['2020-01-01T00:00:00.000Z', {}]), basisOf(2, { rules }));
    const [fate, newer] = [fates.get('backup 0'), fates.get('backup 1')];
    expect(fate).toEqual({
      ...{ is: 'deleted', ground: 'replaced', at: new Date('2027-01-02T14:30:00.000Z') },
      ...{ slotAt: new Date('2027-01-02T14:30:00.000Z'), bytesGoAt: new Date('2027-01-10T14:30:00.000Z') },
    });
    if (!fate || !newer) throw new Error('each has a fate');
    expect(bytesKeptBy(fate, rules)).toBe('minimum-retention');
    expect(bytesKeptBy(fate, { ...rules, delayMs: 8 * dayMs })).toBe('deletion-delay');
    expect(whyFate(fate, 2)).toBe(
      'The schedule keeps 2 cycles. Newer ones replace it when the backup of the slot of 2027-01-02T14:30:00.000Z is completed and copied.',
    );
    expect([differs(fate, fate), differs(fate, newer)]).toEqual([false, true]);
  });

  it('waits with what goes only by a change that shrinks it, until what it asked for lately counts no more', () => {
    const rules = { delayMs: 3 * dayMs, minimumMs: 0 };
    const spans = spansOf(['2020-01-01T00:00:00.000Z', { fullBackupRetention: 30 }], [now.toISOString(), {}]);
    const { fates } = project(spans, basisOf(4, { rules }));
    expect(fates.get('backup 0')).toMatchObject({
      ground: 'schedule-changed',
      at: new Date('2027-01-05T14:30:00.000Z'),
    });
  });

  it('lets nothing go while it is paused, unless something is under way', () => {
    const spans = spansOf(['2020-01-01T00:00:00.000Z', { paused: true, fullBackupRetention: 1 }]);
    const basis = basisOf(3);
    const kept = expect.objectContaining({ is: 'kept', ground: 'paused' });
    expect([...project(spans, basis).fates.values()]).toEqual([kept, kept, kept]);
    const running = basis.backups.map((each, index) =>
      index < 2 ? each : { ...each, status: 'BUILDING', region: null },
    );
    const gone = expect.objectContaining({ is: 'deleted', at: now, slotAt: null });
    expect([...project(spans, { ...basis, backups: running }).fates.values()]).toEqual([gone, gone, kept]);
  });
});

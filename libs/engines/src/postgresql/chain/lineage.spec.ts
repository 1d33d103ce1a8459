import { describe, expect, it } from '@jest/globals';
import type { VaultManifest } from '@strongroom/contracts';
import fc from 'fast-check';
import { compareLsn } from '../lsn.js';
import { historyText, type LeftTimeline, parseHistory, whyNoDescendant } from './lineage.js';

type Facts = VaultManifest['engine'];

const lsnOf = (position: number) =>
  `${Math.floor(position / 2 ** 32).toString(16)}/${(position % 2 ** 32).toString(16)}`.toUpperCase();
const facts = (more: Facts = {}): Facts => ({
  systemId: '7',
  timeline: 1,
  startLsn: '0/2000028',
  endLsn: '0/2000120',
  timelineHistory: '',
  ...more,
});
const later = (more: Facts = {}) => facts({ startLsn: '0/3000028', endLsn: '0/3000120', ...more });

describe('a backup', () => {
  it('descends from an earlier one of the same server and timeline', () => {
    expect(whyNoDescendant(facts(), later())).toBeUndefined();
  });

  it('of a server that was promoted after the earlier one had ended descends from it', () => {
    const promoted = later({ timeline: 2, timelineHistory: '1:0/2000120' });
    expect(whyNoDescendant(facts(), promoted)).toBeUndefined();
  });

  it.each<[string, Facts, Facts, RegExp]>([
    ['is of another server', facts(), later({ systemId: '8' }), /system id 8/],
    ['is of a server that went back', later(), facts({ endLsn: '9/0' }), /went back/],
    [
      'is of a server that left the timeline before the earlier backup had ended',
      facts(),
      later({ timeline: 2, timelineHistory: '1:0/200011F' }),
      /before the earlier backup had ended/,
    ],
    ['is of a timeline of which nothing is known', facts(), later({ timeline: 2, timelineHistory: null }), /not known/],
    [
      'is of a timeline that came from others',
      facts({ timeline: 2, timelineHistory: '1:0/100' }),
      later({ timeline: 3, timelineHistory: '1:0/1000000' }),
      /not known/,
    ],
    [
      'is of another timeline with the same number',
      facts({ timeline: 2, timelineHistory: '1:0/1000000' }),
      later({ timeline: 2, timelineHistory: '1:0/1500000' }),
      /branched off elsewhere/,
    ],
    [
      'came from another timeline with the same number',
      facts({ timeline: 2, timelineHistory: '1:0/1000000' }),
      later({ timeline: 3, timelineHistory: '1:0/1500000 2:0/2500000' }),
      /branched off elsewhere/,
    ],
    [
      'is of the timeline that the earlier one had left',
      later({ timeline: 2, timelineHistory: '1:0/1' }),
      later(),
      /not known/,
    ],
  ])('that %s does not', (_, former, now, why) => {
    expect(whyNoDescendant(former, now)).toMatch(why);
  });

  it('of a standby may start before the end of the one before it: its last restartpoint is as old', () => {
    const [former, now] = [facts(), facts({ serverLsn: '0/2000120' })];
    expect(whyNoDescendant(former, now)).toBeUndefined();
    expect(whyNoDescendant(former, { ...now, serverLsn: '0/200011F' })).toMatch(/went back/);
  });

  it('whose facts are not known counts as a descendant where system id and timeline agree', () => {
    expect(whyNoDescendant({}, {})).toBeUndefined();
    expect(whyNoDescendant({ systemId: '7', timeline: 1 }, { systemId: '7', timeline: 1 })).toBeUndefined();
    expect(whyNoDescendant({ systemId: '7', timeline: 1 }, { systemId: '7', timeline: 2 })).toBeDefined();
  });
});

describe('a history of timelines', () => {
  const left = fc.array(fc.record({ timeline: fc.nat(), switchLsn: fc.nat(2 ** 31).map(lsnOf) }));

  it('is read as it was written', () => {
    fc.assert(fc.property(left, (history) => expect(parseHistory(historyText(history))).toEqual(history)));
  });

  it.each([undefined, null, 3, '1', '1:', '1:0', 'x:0/1', '1:0/G'])('that is %p is not known', (text) => {
    expect(parseHistory(text)).toBeUndefined();
  });
});

/** Random lives of a server, which works, is backed up, is promoted, and is restored to one of its backups. */
describe('in any life of a server', () => {
  interface State {
    timeline: number;
    left: LeftTimeline[];
    at: number;
    /** Numbers of the backups whose state this one came from. */
    ancestors: number[];
  }
  type Step = { do: 'work'; by: number } | { do: 'promote' } | { do: 'back up' } | { do: 'restore'; which: number };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('work' as const), by: fc.integer({ min: 1, max: 2 ** 33 }) }),
    fc.constant({ do: 'promote' as const }),
    fc.constant({ do: 'back up' as const }),
    fc.record({ do: fc.constant('restore' as const), which: fc.nat() }),
  );

  it('a backup descends from exactly those whose state it came from', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
        let state: State = { timeline: 1, left: [], at: 2 ** 24, ancestors: [] };
        let newest = 1;
        const promoted = (from: State): State => {
          newest += 1;
          const left = [...from.left, { timeline: from.timeline, switchLsn: lsnOf(from.at) }];
          return { ...from, timeline: newest, left };
        };
        const backups: { facts: Facts; state: State }[] = [];
        for (const taken of steps) {
          if (taken.do === 'work') state = { ...state, at: state.at + taken.by };
          else if (taken.do === 'promote') state = promoted(state);
          else if (taken.do === 'restore') {
            const from = backups[taken.which % Math.max(1, backups.length)];
            if (from) state = promoted(from.state);
          } else {
            const startLsn = lsnOf(state.at);
            state = { ...state, at: state.at + 100 };
            const { timeline, left, ancestors } = state;
            const its = {
              systemId: '7',
              timeline,
              startLsn,
              endLsn: lsnOf(state.at),
              timelineHistory: historyText(left),
            };
            backups.forEach(({ facts: former }, number) => {
              expect([number, whyNoDescendant(former, its) === undefined]).toEqual([
                number,
                ancestors.includes(number),
              ]);
            });
            state = { ...state, ancestors: [...ancestors, backups.length] };
            backups.push({ facts: its, state });
          }
        }
      }),
    );
  });
});

describe('places in the WAL', () => {
  it('are ordered as numbers, not as text', () => {
    expect(compareLsn('0/9000000', '0/10000000')).toBeLessThan(0);
    expect(compareLsn('A/0', '9/FFFFFFFF')).toBeGreaterThan(0);
    expect(compareLsn('a/b', 'A/B')).toBe(0);
  });
});

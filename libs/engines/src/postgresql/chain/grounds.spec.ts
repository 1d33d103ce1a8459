import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import type { VaultManifest } from '@strongroom/contracts';
import { manifestOfParent } from '../../../fixtures/parent-manifest.js';
import { IncrementalNotPossible } from '../../engine-fault.js';
import { historyInFile, type Server } from '../server.js';
import { flawedVersions, flawOf } from './flawed-versions.js';
import { againstParent, againstServer, type IncrementalGround, incrementalGrounds } from './grounds.js';
import { limitBlocksObject } from './limit-list.js';
import { covering } from './wal-summaries.js';

const server: Server = {
  version: '18.4',
  versionNumber: 180_004,
  systemId: '7',
  timeline: 2,
  lsn: '0/5000000',
  blockSize: 8_192,
  segmentBlocks: 131_072,
  dataChecksums: 'on',
  walLogHints: 'off',
  summarizesWal: true,
};

const parent = (engine: VaultManifest['engine'] = {}) =>
  manifestOfParent({ systemId: '7', timeline: 2, startLsn: '0/4000028', endLsn: '0/4000120', ...engine });

describe('an incremental backup of a server', () => {
  it('is taken where there is no ground against it', () => {
    expect(againstServer(server)).toBeUndefined();
    expect(againstServer({ ...server, dataChecksums: 'off', walLogHints: 'on' })).toBeUndefined();
    expect(againstParent(server, parent())).toBeUndefined();
    expect(againstParent({ ...server, lsn: '0/4000120' }, parent())).toBeUndefined();
  });

  it.each<[IncrementalGround, Partial<Server>, RegExp]>([
    ['version-too-old', { versionNumber: 160_014, version: '16.14' }, /16\.14.*17 and newer/],
    ['server-version-flawed', { versionNumber: 180_001, version: '18.1' }, /18\.1.*Upgrade it to 18\.2/],
    ['wal-not-summarized', { summarizesWal: false }, /summarize_wal = on/],
    ['pages-change-without-wal', { dataChecksums: 'off' }, /wal_log_hints = on.*pg_checksums --enable/],
  ])('is not taken on the ground %s, and its reason says what to do', (ground, is, reason) => {
    expect(againstServer({ ...server, ...is })).toMatchObject({ ground, reason: expect.stringMatching(reason) });
  });

  it.each<[IncrementalGround, VaultManifest['engine'], Partial<Server>]>([
    ['no-slot-free', { chainSlot: null, chainSlotGround: 'no-slot-free', chainSlotReason: 'None was free.' }, {}],
    [
      'wal-not-summarized',
      { chainSlot: null, chainSlotGround: 'wal-not-summarized', chainSlotReason: 'It did not.' },
      {},
    ],
    ['parent-of-older-format', { chainSlot: null }, {}],
    ['parent-of-older-format', { slotMadeAt: null }, {}],
    ['parent-of-older-format', { endLsn: null }, {}],
    ['another-server', { systemId: '8' }, {}],
    ['timeline-changed', { timeline: 1 }, {}],
    ['timeline-changed', {}, { timeline: 3 }],
    ['snapshot-put-back', { endLsn: '0/5000001' }, {}],
    ['data-checksums-changed', { dataChecksums: 'off' }, {}],
    ['data-checksums-changed', {}, { dataChecksums: 'off', walLogHints: 'on' }],
    ['data-checksums-changed', { dataChecksums: null }, {}],
    ['pages-change-without-wal', { dataChecksums: 'off' }, { dataChecksums: 'off', walLogHints: 'on' }],
    ['page-layout-changed', { blockSize: 4_096 }, {}],
    ['page-layout-changed', { segmentBlocks: 65_536 }, {}],
    ['page-layout-changed', { segmentBlocks: null }, {}],
    ['server-version-flawed', { serverVersionNumber: 180_001, serverVersion: '18.1' }, {}],
  ])('is not built on a parent on the ground %s (%j, %j)', (ground, was, is) => {
    expect(againstParent({ ...server, ...is }, parent(was))).toMatchObject({ ground });
  });
});

describe('versions with known faults', () => {
  it.each([
    [170_000, '17.8'],
    [170_007, '17.8'],
    [180_000, '18.2'],
    [180_001, '18.2'],
  ])('%i is one, and %s mends it', (versionNumber, remedy) => {
    expect(flawOf(versionNumber)).toMatchObject({ remedy });
  });

  it.each([160_014, 170_008, 170_011, 180_002, 180_004, 190_000])('%i is none', (versionNumber) => {
    expect(flawOf(versionNumber)).toBeUndefined();
  });

  it('are ranges that have a beginning and an end', () => {
    for (const { from, fixedIn, fault, remedy } of flawedVersions) {
      expect(from).toBeLessThan(fixedIn);
      expect([fault, remedy]).not.toContain('');
    }
  });
});

describe('the summaries of what has changed', () => {
  const span = { timeline: 1, startLsn: '0/3000028', endLsn: '0/9000028' };
  const of = (...places: [string, string][]) => places.map(([start_lsn, end_lsn]) => ({ start_lsn, end_lsn }));

  it('are those that lie between the two backups', () => {
    const within = of(['0/3000028', '0/5000028'], ['0/5000028', '0/9000028']);
    const others = of(['0/1000028', '0/3000028'], ['0/9000028', '0/A000028']);
    expect(covering([...others.slice(0, 1), ...within, ...others.slice(1)], span)).toEqual(within);
  });

  it('may overlap one another', () => {
    const within = of(['0/3000028', '0/7000028'], ['0/5000028', '0/6000028'], ['0/5000028', '0/9000028']);
    expect(covering(within, span)).toEqual(within);
  });

  it.each<[string, [string, string][]]>([
    ['none is there', []],
    ['one is missing at the start', [['0/5000028', '0/9000028']]],
    [
      'one is missing within',
      [
        ['0/3000028', '0/5000028'],
        ['0/6000028', '0/9000028'],
      ],
    ],
    ['one is missing at the end', [['0/3000028', '0/5000028']]],
    [
      'the first reaches further back',
      [
        ['0/2000028', '0/5000028'],
        ['0/5000028', '0/9000028'],
      ],
    ],
    [
      'the last goes on beyond',
      [
        ['0/3000028', '0/5000028'],
        ['0/5000028', '0/A000028'],
      ],
    ],
  ])('do not do where %s', (_, places) => {
    expect(() => covering(of(...places), span)).toThrow(IncrementalNotPossible);
    expect(() => covering(of(...places), span)).toThrow(/wal_summary_keep_time.*Take a full backup/);
  });

  it('are written for a restore line by line, with an end line that a list lacks when it is cut off', async () => {
    async function* limits() {
      yield { space: 1663, database: 5, relation: 16_384, fork: 0, block: 455 };
      yield { space: 1664, database: 0, relation: 1_262, fork: 2, block: 0 };
    }
    expect(await text(limitBlocksObject(limits(), span))).toBe(
      'strongroom-limit-blocks/1 0/3000028 0/9000028 1\n1663 5 16384 0 455\n1664 0 1262 2 0\nend 2\n',
    );
  });

  it('are told in parts, however many relations there are', async () => {
    async function* many() {
      for (let relation = 0; relation < 200_000; relation += 1)
        yield { space: 1, database: 1, relation, fork: 0, block: 1 };
    }
    let largest = 0;
    let lines = 0;
    for await (const part of limitBlocksObject(many(), span)) {
      largest = Math.max(largest, part.length);
      lines += part.toString().split('\n').length - 1;
    }
    expect(largest).toBeLessThan(100_000);
    expect(lines).toBe(200_002);
  });
});

describe('the history of a timeline', () => {
  it('is read from the file that the server keeps, with any reasons in it', () => {
    const file = '1\t0/5000000\tno recovery target specified\n\n# a remark\n2\t1/A0\tat restore point "x 3\t0/1"\n';
    expect(historyInFile(file)).toEqual([
      { timeline: 1, switchLsn: '0/5000000' },
      { timeline: 2, switchLsn: '1/A0' },
    ]);
  });
});

describe('docs/incremental-grounds.md', () => {
  const root = join(__dirname, '..', '..', '..', '..', '..');
  const page = readFileSync(join(root, 'docs', 'incremental-grounds.md'), 'utf8');
  const rows = page.split('\n').flatMap((line) => {
    const [, ground, , , , test, file] =
      /^\| `([\w-]+)` \|([^|]*)\|([^|]*)\|([^|]*)\| “([^”]+)” in `([^`]+)` \|$/.exec(line) ?? [];
    return ground === undefined ? [] : [{ ground, test: String(test), file: String(file) }];
  });

  it('has a row for each ground, and no other', () => {
    expect(rows.map(({ ground }) => ground).sort()).toEqual([...incrementalGrounds].sort());
  });

  it.each(rows)('names a test of $ground that is there', ({ test, file }) => {
    expect(readFileSync(join(root, file), 'utf8')).toContain(test);
    expect(dirname(file)).not.toBe('.');
  });
});

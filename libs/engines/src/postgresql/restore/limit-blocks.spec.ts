import { describe, expect, it } from '@jest/globals';
import { LimitBlocks } from './limit-blocks.js';
import { relationFileOf } from './relation-file.js';

const sizes = { blockSize: 8_192, segmentBlocks: 131_072 };
const head = 'strongroom-limit-blocks/1 0/2000028 1A/B0000060 1';
const text = (...lines: string[]) => `${[head, ...lines, `end ${lines.length}`].join('\n')}\n`;
async function* chunksOf(list: string, size = 7): AsyncGenerator<Buffer> {
  for (let at = 0; at < list.length; at += size) yield Buffer.from(list.slice(at, at + size));
}
const span = { startLsn: '0/2000028', endLsn: '1A/B0000060', timeline: 1 };
const read = (list: string) => LimitBlocks.read(chunksOf(list), span);
const limitOf = (limits: LimitBlocks, path: string) => {
  const file = relationFileOf(path);
  return file && limits.of(file, sizes);
};

describe('the limits of relations that were cut', () => {
  it('are found for a file of the relation, in its database, tablespace, fork and segment', async () => {
    const limits = await read(
      text('1663 5 16384 0 455', '1664 0 1262 0 3', '16413 5 16414 0 131073', '1663 5 16384 3 0', '1663 4 16384 0 9'),
    );
    expect(limitOf(limits, 'base/5/16384')).toEqual({ said: 455, kept: 455 });
    expect(limitOf(limits, 'base/5/16384.1')).toEqual({ said: 455 - 131_072, kept: 455 - 131_072 });
    expect(limitOf(limits, 'base/4/16384')).toEqual({ said: 9, kept: 9 });
    expect(limitOf(limits, 'base/5/16384_init')).toEqual({ said: 0, kept: 0 });
    expect(limitOf(limits, 'global/1262')).toEqual({ said: 3, kept: 3 });
    expect(limitOf(limits, 'pg_tblspc/16413/PG_18_202506291/5/16414.1')).toEqual({ said: 1, kept: 1 });
    for (const path of ['base/5/16385', 'base/6/16384', 'global/16384', 'pg_tblspc/16413/PG_18/5/16384']) {
      expect(limitOf(limits, path)).toBeUndefined();
    }
  });

  it('of a visibility map are those of what is left of its relation, no matter what the server says of the map', async () => {
    const limits = await read(text('1663 5 16384 0 243951', '1663 5 16384 2 243951', '1663 5 7 0 100', '1663 5 8 2 3'));
    expect(limitOf(limits, 'base/5/16384_vm')).toEqual({ said: 243_951, kept: 8 });
    expect(limitOf(limits, 'base/5/7_vm')).toMatchObject({ kept: 1 });
    expect(limitOf(limits, 'base/5/8_vm')).toEqual({ said: 3, kept: 3 });
  });

  it('are the lowest of a relation that was cut more than once, and none where the server says none', async () => {
    const limits = await read(text('1663 5 1 0 20', '1663 5 1 0 7', '1663 5 1 0 30', '1663 5 2 0 4294967295'));
    expect(limitOf(limits, 'base/5/1')).toMatchObject({ kept: 7 });
    expect(limitOf(limits, 'base/5/2')).toBeUndefined();
  });

  it.each([
    ['is empty', '', 'breaks off'],
    ['has another head', text('1663 5 1 0 2').replace('/1 ', '/2 '), 'no known form'],
    ['is of another parent', text().replace('0/2000028', '0/4000028'), 'and should of 0/2000028 to 1A/B0000060 on 1'],
    ['is of another backup', text().replace('1A/B0000060', '1A/C0000060'), 'tells of 0/2000028 to 1A/C0000060'],
    ['is of another timeline', text().replace('0060 1', '0060 2'), 'on timeline 2'],
    ['is cut off at a line', text('1663 5 1 0 2').slice(0, -'end 1\n'.length), 'breaks off'],
    ['is cut off within its last line', text('1663 5 1 0 2').slice(0, -1), 'breaks off'],
    ['lacks a line', text('1663 5 1 0 2').replace('1663 5 1 0 2\n', ''), 'has 0 limits and should have 1'],
    ['goes on', `${text()}1663 5 1 0 2\n`, 'goes on'],
    ['has a line of another kind', text('1663 5 1 main 2'), 'which is no limit'],
    ['has a number beyond what there is', text('1663 5 1 0 4294967296'), 'none of PostgreSQL'],
    ['has no lines', 'x'.repeat(10_000), 'no known form'],
  ])('that %s are refused', async (_, list, why) => {
    await expect(read(list)).rejects.toMatchObject({
      code: 'backup-content-invalid',
      message: expect.stringContaining(why),
    });
  });

  it('may be many', async () => {
    const count = 200_000;
    async function* many(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${head}\n`);
      for (let at = 0; at < count; at += 1_000) {
        yield Buffer.from(Array.from({ length: 1_000 }, (_, n) => `1663 5 ${at + n} 0 ${at + n + 1}\n`).join(''));
      }
      yield Buffer.from(`end ${count}\n`);
    }
    const limits = await LimitBlocks.read(many(), span);
    for (const n of [0, 1, 999, 150_000, count - 1]) {
      expect(limitOf(limits, `base/5/${n}`)).toEqual({ said: n + 1, kept: n + 1 });
    }
  });
});

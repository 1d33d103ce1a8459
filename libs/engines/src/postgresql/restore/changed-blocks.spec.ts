import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { VaultManifest } from '@strongroom/contracts';
import { applyChangedBlocks, type BlockLimit, blockSizesOf } from './changed-blocks.js';
import { relationOf } from './relation-file.js';
import { write } from './write-all.js';

const blockSize = 8_192;
const block = (filling: string) => Buffer.alloc(blockSize, filling);
const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
};
const magic = 0xd3ae1f0d;
const segmentBlocks = 10;
/** What the parent has of a relation that was cut since. */
const cutTo = (blocks: number): BlockLimit => ({ said: blocks, kept: blocks });
/** An incremental file as the server writes it. */
function changes(truncation: number, blocks: Record<number, Buffer> = {}): Buffer {
  const numbers = Object.keys(blocks).map(Number);
  const head = u32(magic, numbers.length, truncation, ...numbers);
  const padding = numbers.length === 0 ? 0 : (blockSize - (head.length % blockSize)) % blockSize;
  return Buffer.concat([head, Buffer.alloc(padding), ...Object.values(blocks)]);
}
async function* chunksOf(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('the changed blocks of a relation', () => {
  let folder: string;
  let target: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-blocks-'));
    target = join(folder, '1259');
    await writeFile(target, Buffer.concat([block('a'), block('b'), block('c')]));
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await rm(folder, { recursive: true, force: true });
  });
  const apply = (bytes: Buffer, size?: number, limit?: BlockLimit) =>
    applyChangedBlocks(chunksOf(bytes, size), { target, name: 'base/5/1259' }, { blockSize, segmentBlocks }, limit);
  const expectBlocks = async (...blocks: Buffer[]) =>
    expect((await readFile(target)).equals(Buffer.concat(blocks))).toBe(true);

  it.each([undefined, 1, 13, blockSize - 1, blockSize + 1])(
    'take their places, and no other changes, in chunks of %s bytes',
    async (size) => {
      const bytes = changes(3, { 0: block('x'), 2: block('z') });
      await expect(apply(bytes, size)).resolves.toEqual({
        sizeBytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
      await expectBlocks(block('x'), block('b'), block('z'));
    },
  );

  it('leave a file as it is when there are none', async () => {
    await apply(changes(3));
    await expectBlocks(block('a'), block('b'), block('c'));
  });

  it('shorten a file to its truncation, and zeros are what lies between that and a later block', async () => {
    await apply(changes(1));
    await expectBlocks(block('a'));
    await apply(changes(1, { 3: block('n') }));
    await expectBlocks(block('a'), block('\0'), block('\0'), block('n'));
  });

  it('make a file longer with zeros where it was longer when the backup was taken', async () => {
    await apply(changes(5));
    await expectBlocks(block('a'), block('b'), block('c'), block('\0'), block('\0'));
  });

  it('keep nothing of before beyond the limit to which the relation was cut, though it is longer again', async () => {
    // The server gives the file's length, since it is larger than the limit.
    await apply(changes(5, { 3: block('n') }), undefined, cutTo(1));
    await expectBlocks(block('a'), block('\0'), block('\0'), block('n'), block('\0'));
  });

  it('keep no less than the server says where the limit is beyond it', async () => {
    await apply(changes(2), undefined, cutTo(7));
    await expectBlocks(block('a'), block('b'));
    await apply(changes(2, { 3: block('n') }), undefined, cutTo(100));
    await expectBlocks(block('a'), block('b'), block('\0'), block('n'));
  });

  it('keep nothing in a file that the relation did not reach when it was cut', async () => {
    await apply(changes(2, { 1: block('n') }), undefined, cutTo(-20));
    await expectBlocks(block('\0'), block('n'));
  });

  it('never make a file longer than a file can be, with any length that the server gives for the relation', async () => {
    await apply(changes(243_951), undefined, cutTo(243_951));
    expect((await readFile(target)).length).toBe(segmentBlocks * blockSize);
    expect((await readFile(target)).subarray(0, 3 * blockSize)).toEqual(
      Buffer.concat([block('a'), block('b'), block('c')]),
    );
    await apply(changes(0xffff_fffe));
    expect((await readFile(target)).length).toBe(segmentBlocks * blockSize);
  });

  it('make a visibility map as long as what is left of its relation needs, where the server gives the length of the relation', async () => {
    await apply(changes(8), undefined, { said: 8, kept: 1 });
    await expectBlocks(block('a'));
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'break off'],
    ['less than a head', u32(magic, 0), 'break off'],
    ['a head without its block numbers', u32(magic, 2, 3, 0), 'break off'],
    ['half of a block', changes(3, { 0: block('x') }).subarray(0, blockSize + 100), 'break off'],
    [
      'a block less than it names',
      changes(3, { 0: block('x'), 1: block('y') }).subarray(0, 2 * blockSize),
      'break off',
    ],
    ['more than it names', Buffer.concat([changes(3, { 0: block('x') }), block('y')]), 'do not end where they should'],
    ['another magic', u32(0xd3ae1f0c, 0, 3), 'no known form'],
    ['more blocks than a file can have', u32(magic, segmentBlocks + 1, 3), 'no known form'],
    ['a truncation longer than any relation', u32(magic, 0, 0xffffffff), 'no known form'],
    ['blocks that descend', Buffer.concat([u32(magic, 2, 3, 2, 1), Buffer.alloc(3 * blockSize)]), 'not in order'],
    ['a block twice', Buffer.concat([u32(magic, 2, 3, 1, 1), Buffer.alloc(3 * blockSize)]), 'not in order'],
    [
      'a block beyond a file',
      Buffer.concat([u32(magic, 1, 3, segmentBlocks), Buffer.alloc(2 * blockSize)]),
      'not in order',
    ],
  ])('that are %s are refused', async (_, bytes, why) => {
    const refused = apply(bytes);
    await expect(refused).rejects.toMatchObject({ code: 'backup-content-invalid' });
    await expect(refused).rejects.toThrow(why);
  });

  it('of a relation that the parent does not have are refused; a fault of the disk is reported as one', async () => {
    target = join(folder, 'none');
    await expect(apply(changes(3))).rejects.toMatchObject({ name: 'EngineFault', code: 'backup-content-invalid' });
    await mkdir(target);
    await expect(apply(changes(3))).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it('are written whole by a disk that takes only a part at a time, as a full one does; so are whole files', async () => {
    const file = await open(target, 'r');
    const handles = Object.getPrototypeOf(file) as FileHandle;
    await file.close();
    const whole = handles.write;
    jest.spyOn(handles, 'write').mockImplementation(function (this: FileHandle, ...given: unknown[]) {
      const [bytes, at, length, into] = given as [Buffer, number, number, number | null];
      return Reflect.apply(whole, this, [bytes, at, Math.min(length, 1_000), into]);
    });
    const [first, second] = [randomBytes(blockSize), randomBytes(blockSize)];
    await apply(changes(3, { 0: first, 2: second }));
    await expectBlocks(first, block('b'), second);
    const content = randomBytes(10_000);
    await write(chunksOf(content), join(folder, 'whole'));
    expect((await readFile(join(folder, 'whole'))).equals(content)).toBe(true);
  });
});

describe('the sizes of the blocks of a backup', () => {
  const sizesOf = (engine: VaultManifest['engine']) =>
    blockSizesOf({ engine } as Partial<VaultManifest> as VaultManifest);

  it('are those that its server told; of older backups, that of a segment is 1 GiB', () => {
    expect(sizesOf({ blockSize: 8_192 })).toEqual({ blockSize: 8_192, segmentBlocks: 131_072 });
    expect(sizesOf({ blockSize: 32_768, segmentBlocks: null })).toEqual({ blockSize: 32_768, segmentBlocks: 32_768 });
    expect(sizesOf({ blockSize: 1_024, segmentBlocks: 16 })).toEqual({ blockSize: 1_024, segmentBlocks: 16 });
  });

  it.each([
    [{}],
    [{ blockSize: 0.5 }],
    [{ blockSize: -819 }],
    [{ blockSize: '8192' }],
    [{ blockSize: 8_192, segmentBlocks: 0 }],
    [{ blockSize: 8_192, segmentBlocks: 1.5 }],
    [{ blockSize: 8_192, segmentBlocks: 1e15 }],
    [{ blockSize: 8_192, segmentBlocks: 'many' }],
  ])('that are %j are refused', (engine) => expect(() => sizesOf(engine)).toThrow("and no server's have"));
});

describe('a file of an incremental backup', () => {
  it.each([
    ['base/5/INCREMENTAL.1259', 'base/5/1259'],
    ['base/5/INCREMENTAL.1259.1', 'base/5/1259.1'],
    ['base/5/INCREMENTAL.1259_vm.12', 'base/5/1259_vm.12'],
    ['base/5/INCREMENTAL.1259_init', 'base/5/1259_init'],
    ['global/INCREMENTAL.1262', 'global/1262'],
    ['pg_tblspc/16413/PG_18_202506291/5/INCREMENTAL.16414.2', 'pg_tblspc/16413/PG_18_202506291/5/16414.2'],
  ])('%s has the changes of %s', (path, relation) => expect(relationOf(path)).toBe(relation));

  it.each([
    'base/5/1259.1',
    'pg_wal/INCREMENTAL.1',
    'INCREMENTAL.1',
    'base/5/INCREMENTAL.txt',
    'base/INCREMENTAL.1',
    'base/5/INCREMENTAL.1/2',
    'pg_tblspc/16413/INCREMENTAL.1',
  ])('%s is whole', (path) => expect(relationOf(path)).toBeUndefined());
});

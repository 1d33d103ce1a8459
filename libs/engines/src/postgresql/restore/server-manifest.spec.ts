import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { manifestLine, manifestOfLines, serverManifest } from '../../../fixtures/server-archive.js';
import { type ListedFile, listedFiles, type ManifestFrame, manifestText, tableOf } from './server-manifest.js';

async function* chunksOf(text: string, size = text.length): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function filesOf(text: string, size?: number): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of listedFiles(chunksOf(text, size))) files.push(file);
  return files;
}
const two = serverManifest({ PG_VERSION: '18\n', 'base/5/größe': 'rows' });

describe("a server's manifest", () => {
  it.each([1, 7, 64, 10_000])('is read in chunks of %s bytes', async (size) => {
    const files = await filesOf(two, size);
    expect(files.map(({ path, sizeBytes }) => [Buffer.from(path, 'latin1').toString(), sizeBytes])).toEqual([
      ['PG_VERSION', 3],
      ['base/5/größe', 4],
    ]);
    expect(files[0]).toMatchObject({
      modified: '2026-11-14 14:30:00 GMT',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('is written as it was read, byte for byte', async () => {
    const odd = manifestOfLines([
      manifestLine('"tab\\there \\"quoted\\""', Buffer.from('x')),
      manifestLine('"61e8"', Buffer.from('y'), 'Encoded-Path'),
    ]);
    for (const text of [two, odd, serverManifest({})]) {
      const frame: ManifestFrame = { head: '', tail: '' };
      const written = manifestText(listedFiles(chunksOf(text), frame), frame);
      expect((await buffer(Readable.from(written))).toString()).toBe(text);
    }
  });

  it.each([
    ['was changed', two.replace('"Size": 3', '"Size": 4'), 'its checksum of itself is wrong'],
    ['breaks off', two.slice(0, -10), 'breaks off'],
    ['breaks off at a line', two.slice(0, two.indexOf('"WAL-Ranges"')), 'breaks off'],
    ['goes on', `${two}more\n`, 'does not end where it should'],
    ['is one endless line', 'x'.repeat(200_000), 'not of the form'],
    ['is of another form', manifestOfLines(['{ "Path": "x" }']), 'not of the form'],
    ['has digests of another kind', two.replaceAll('SHA256', 'CRC32C'), 'not of the form'],
    [
      'names a file in no hexadecimal',
      manifestOfLines([manifestLine('"xy"', Buffer.from(''), 'Encoded-Path')]),
      'no hexadecimal',
    ],
    [
      'has a comma behind its last file',
      manifestOfLines([`${manifestLine('"x"', Buffer.from(''))},`]),
      'not of the form',
    ],
    [
      'lacks a comma',
      manifestOfLines([`${manifestLine('"x"', Buffer.from(''))}\n${manifestLine('"y"', Buffer.from(''))}`]),
      'not of the form',
    ],
  ])('that %s is refused', async (_, text, why) => {
    await expect(filesOf(text)).rejects.toMatchObject({
      code: 'backup-content-invalid',
      message: expect.stringContaining(why),
    });
  });

  it('that lists a file twice is refused', async () => {
    const line = manifestLine('"x"', Buffer.from(''));
    const encoded = manifestLine('"78"', Buffer.from(''), 'Encoded-Path');
    for (const text of [manifestOfLines([line, line]), manifestOfLines([line, encoded])]) {
      await expect(tableOf(chunksOf(text), 100)).rejects.toThrow('lists a file twice');
    }
  });

  it('gives a table of its files, which grows where there are more than were expected', async () => {
    const files = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`base/5/${at}`, String(at)]));
    const text = serverManifest(files);
    const table = await tableOf(chunksOf(text), 1);
    const listed = await filesOf(text);
    expect(table.size).toBe(5_000);
    for (const { path, sizeBytes, sha256 } of listed) {
      expect(table.take(path, sizeBytes + 1, sha256)).toBe('differs');
      expect(
        table.take(
          path,
          sizeBytes,
          sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
        ),
      ).toBe('differs');
      expect(table.take(path, sizeBytes, sha256)).toBe('as-listed');
      expect(table.take(path, sizeBytes, sha256)).toBe('twice');
    }
    expect(table.take('base/6/1', 1, listed[1]?.sha256 ?? '')).toBe('unknown');
    expect(table.left).toBe(0);
  });
});

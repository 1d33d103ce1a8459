import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { syncFolder } from './sync-folder.js';

const failing = (code: string) => async () => {
  throw Object.assign(new Error(`${code}: made up`), { code });
};
const refusingSync = (code: string) => ({
  open: async () => ({ sync: failing(code), close: async () => {} }),
  isReadable: async () => true,
});

it('makes the names in a folder durable, and says when its folder is not there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-sync-'));
  expect(await syncFolder(folder)).toBe(true);
  await rm(folder, { recursive: true });
  await expect(syncFolder(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});

it.each(['EINVAL', 'ENOTSUP', 'EPERM', 'EACCES', 'EISDIR', 'EBADF'])(
  'says when the file system can not sync folders, and that is no failure (%s)',
  async (code) => expect(await syncFolder('/made-up', refusingSync(code))).toBe(false),
);

it.each(['EIO', 'ENOSPC', 'EROFS', 'ESTALE'])('fails when the disk fails (%s)', async (code) => {
  await expect(syncFolder('/made-up', refusingSync(code))).rejects.toMatchObject({ code });
});

it('fails where this process may not read the folder, which no file system is to blame for', async () => {
  const operations = { open: failing('EACCES'), isReadable: async () => false };
  await expect(syncFolder('/made-up', operations)).rejects.toMatchObject({ code: 'EACCES' });
  expect(await syncFolder('/made-up', { ...operations, isReadable: async () => true })).toBe(false);
});

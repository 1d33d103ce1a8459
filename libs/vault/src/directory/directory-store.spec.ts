import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectScene } from '../../fixtures/object-scene.js';
import type { VaultScene } from '../../fixtures/vault-scene.js';
import { vaultContract } from '../vault.contract.js';
import { watched } from '../watched-vault.js';
import { DirectoryStore } from './directory-store.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

vaultContract('folder of objects', storeScene);
vaultContract('watched folder of objects', async (region) => {
  const scene = await storeScene(region);
  return { ...scene, vault: watched(scene.vault) };
});

/** A disk that gives some files back no more. */
class BadDisk extends VaultFiles {
  readonly bad = new Set<string>();

  protected override step<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
    if (operation !== 'read' || !this.bad.has(path)) return perform();
    return Promise.reject(Object.assign(new Error('EIO: made up'), { code: 'EIO' }));
  }
}

async function storeScene(region: string): Promise<VaultScene> {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-objects-'));
  const root = join(folder, 'root');
  await mkdir(root);
  const files = new BadDisk();
  return objectScene(region, {
    store: new DirectoryStore(new VaultRoot(region, root, files)),
    breakObject: async (key) => void files.bad.add(join(root, key)),
    takeAway: () => rename(root, `${root}.away`),
    bringBack: () => rename(`${root}.away`, root),
    remove: () => rm(folder, { recursive: true, force: true }),
  });
}

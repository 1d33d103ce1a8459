import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryScene } from '../../fixtures/directory-scene.js';
import { folderScene } from '../../fixtures/folder-scene.js';
import { copyContract } from '../copy-backup.contract.js';
import { objectStoreContract } from '../object/object-store.contract.js';
import { vaultContract } from '../vault.contract.js';
import { watched } from '../watched-vault.js';
import { DirectoryStore } from './directory-store.js';
import { VaultRoot } from './vault-root.js';

vaultContract('folder of objects', folderScene);
vaultContract('watched folder of objects', async (region) => {
  const scene = await folderScene(region);
  return { ...scene, vault: watched(scene.vault) };
});
copyContract('folder of objects (from a directory)', directoryScene, folderScene);
copyContract('directory (from a folder of objects)', folderScene, directoryScene);
objectStoreContract('folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-objects-'));
  const store = () => new DirectoryStore(new VaultRoot('IAD', folder));
  return { store: store(), other: store(), remove: () => rm(folder, { recursive: true, force: true }) };
});

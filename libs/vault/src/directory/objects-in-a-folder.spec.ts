import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectStoreContract } from '../object/object-store.contract.js';
import { DirectoryStore } from './directory-store.js';
import { VaultFiles } from './vault-files.js';
import { VaultRoot } from './vault-root.js';

objectStoreContract('folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-objects-'));
  const store = () => new DirectoryStore(new VaultRoot('IAD', folder, new VaultFiles()));
  return { store: store(), other: store(), remove: () => rm(folder, { recursive: true, force: true }) };
});

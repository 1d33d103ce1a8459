/** A region's object store, and copies between two of them. */
export { type CopiedBackup, type CopyOptions, copyBackup } from './copy-backup.js';
export { manifestBytes, storedBytes } from './manifest.js';
export {
  type HeldBackup,
  type ListedBackup,
  type Removed,
  type SealedManifest,
  shards,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  VaultUpload,
} from './vault.js';
export { isOutageOfVault, isSpoilt, notHeld, VaultFault, type VaultFaultCode } from './vault-fault.js';
export { oneVault, openVaults, Vaults } from './vaults.js';
export { FrameFault } from './zstd-format.js';
export { compressFrames, decompressFrames } from './zstd-frames.js';

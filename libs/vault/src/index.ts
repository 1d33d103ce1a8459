/** A region's object store, and copies between two of them. */
export { type CopiedBackup, type CopyOptions, copyBackup } from './copy-backup.js';
export { manifestBytes, storedBytes } from './manifest.js';
export { type SealedManifest, Vault, VaultUpload } from './vault.js';
export { VaultFault, type VaultFaultCode } from './vault-fault.js';
export { openVaults, Vaults } from './vaults.js';
export { compressFrames, decompressFrames, FrameFault } from './zstd-frames.js';

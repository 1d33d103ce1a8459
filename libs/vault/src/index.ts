/** The object store of a region, and copies from one to another. */
export type { BucketLock } from './bucket-lock.js';
export { type CopiedBackup, type CopyOptions, copyBackup } from './copy-backup.js';
export { DirectoryStore } from './directory/directory-store.js';
export { DirectoryVault } from './directory/directory-vault.js';
export { VaultFiles } from './directory/vault-files.js';
export { VaultRoot } from './directory/vault-root.js';
export { codeOf } from './error-code.js';
export { FollowedLimits } from './flow/followed-limits.js';
export { type LimitsByScope, Traffic, type TrafficParts } from './flow/traffic.js';
export { type TransferPermit, TransferPermits } from './flow/transfer-permits.js';
export { TooLargeForRoom } from './free-space.js';
export { keepAsLong, keepFor } from './keep-for.js';
export { whyOfAnother } from './keys-check.js';
export { manifestBytes, storedBytes } from './manifest.js';
export {
  type ObjectFacts,
  ObjectStore,
  type PutCondition,
  type PutOptions,
  WriteRefused,
} from './object/object-store.js';
export { ObjectVault } from './object/object-vault.js';
export { SegmentCheck } from './segment-check.js';
export { Sweep, type SweepParts, type SweepVerdict, sweepJob } from './sweep.js';
export { type FolderOperations, syncFolder } from './sync-folder.js';
export { FolderUpgrade, type UpgradeOptions, type UpgradePlan } from './upgrade-folder.js';
export {
  type BeginOptions,
  type ByteRange,
  type CopySource,
  type HeldBackup,
  type InsideStore,
  type ListedBackup,
  type Progress,
  type Removed,
  type SealedManifest,
  type StoredKeys,
  type StoredObject,
  shards,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  VaultUpload,
} from './vault.js';
export {
  isOutageOfVault,
  isSpoilt,
  NotHeld,
  notHeld,
  VaultFault,
  type VaultFaultCode,
  vaultFaultCodes,
} from './vault-fault.js';
export type { WatchOptions } from './vault-watch.js';
export { openVaults, Vaults } from './vaults.js';
export { openVaultsOfService } from './vaults-of-service.js';
export { endingWith } from './watched-vault.js';
export { FrameFault } from './zstd-format.js';
export { compressFrames, decompressFrames } from './zstd-frames.js';

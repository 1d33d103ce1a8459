/** The engines' door: what an engine does, which engines there are, and how a backup goes into a vault and comes out of it. */
export type { ApartOptions } from './apart/engine-child.js';
export { EnginesApart } from './apart/engines-apart.js';
export { type BackupLimits, usualLimits } from './backup-budget.js';
export type { BackupEncryption } from './backup-keys.js';
export { DiskRoom } from './disk-room.js';
export { Doorkeeper, type DoorkeeperParts } from './doorkeeper.js';
export {
  type Abilities,
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineObject,
  type EngineResult,
  type EngineTarget,
  type EngineWithoutBackups,
  type OutsideOption,
  type ParentBackup,
  type Possibility,
  type RestoredFolder,
  type RestoreOptions,
  type RestoreSource,
  type ServerDescription,
  type ServerTest,
  type TriedStep,
  type Verdict,
} from './engine.js';
export { EngineFault, type EngineFaultCode, engineFaultCodes, IncrementalNotPossible } from './engine-fault.js';
export { allEngines, type EngineFor, engineFor } from './engines.js';
export type { Guests } from './guests.js';
export {
  type BackupTaker,
  type OpenedBackup,
  type OpenOptions,
  openBackup,
  openSealed,
  type Restorer,
} from './open-backup.js';
export { Reach, type ReachOptions } from './reach.js';
export {
  findChain,
  openChain,
  type RestoreBackupOptions,
  type RestoredBackup,
  restoreBackup,
} from './restore-backup.js';
export { type Rewrapped, type Rewrapping, rewrapVault } from './rewrap-vault.js';
export {
  type Build,
  type HeldHere,
  type HostedData,
  type HostedServer,
  type HostOptions,
  ServerHost,
} from './server-host.js';
export { type ExpectedSeals, type StoredBackup, type StoreOptions, storeBackup } from './store-backup.js';
export { endingWithin } from './time-limit.js';
export type { ReadDatabase, ReadTable, Trial, TrialOptions } from './trial.js';

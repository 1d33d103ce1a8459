/** Engines take and restore the backups of one kind of server; and how a backup goes into a vault and out of it. */
export {
  type BackupOptions,
  Engine,
  type EngineBackup,
  type EngineObject,
  type EngineResult,
  type EngineTarget,
  type ParentBackup,
  type RestoredFolder,
  type RestoreOptions,
  type RestoreSource,
} from './engine.js';
export {
  EngineFault,
  type EngineFaultCode,
  type IncrementalGround,
  IncrementalNotPossible,
  incrementalGrounds,
} from './engine-fault.js';
export { allEngines, type EngineFor, engineFor } from './engines.js';
export type { OpenedBackup } from './open-backup.js';
export { chainSlotOf } from './postgresql/chain/chain-slot.js';
export { type ReadDatabase, readTables } from './postgresql/host/read-tables.js';
export { programsFor, ScratchServer } from './postgresql/host/scratch-server.js';
export { PostgresqlEngine, type PostgresqlEngineOptions } from './postgresql/postgresql-engine.js';
export { quoted } from './postgresql/restore/held-folder.js';
export { standAloneSettings } from './postgresql/restore/stand-alone-settings.js';
export { type StartAdvice, startAdvice } from './postgresql/restore/start-advice.js';
export { openChain, type RestoreBackupOptions, type RestoredBackup, restoreBackup } from './restore-backup.js';
export { type Build, type HostedData, type HostedServer, type HostOptions, ServerHost } from './server-host.js';
export { type StoredBackup, type StoreOptions, storeBackup } from './store-backup.js';

/** The port to one kind of database server: takes its backups, and restores them into a folder. */
import type { Readable } from 'node:stream';
import type { Datastore, DatastoreType, Endpoint, VaultManifest } from '@strongroom/contracts';
import type { ServerHost } from './server-host.js';

/** How to reach the server, the credential included. Never logged. */
export interface EngineTarget {
  instanceId: string;
  endpoint: Endpoint;
  password: string;
}

/** One stream of the server's bytes, to be read to its end before the next one begins. */
export interface EngineObject {
  /** A file name without a compression suffix, such as `base.tar`. */
  name: string;
  source: AsyncIterable<Buffer>;
}

/** What is known when the server has sent everything and said that it was good. */
export interface EngineResult {
  /** As the server calls itself. */
  datastore: Datastore;
  /** What a restore, or an incremental on top, needs to know. Goes into the vault's manifest. */
  facts: VaultManifest['engine'];
}

/** What an incremental backup is built on. */
export interface ParentBackup {
  manifest: VaultManifest;
  /** An object of the parent, as the server sent it: decompressed and checked against the manifest. */
  open(objectName: string): Readable;
}

export interface BackupOptions {
  /** Of the backup; a full one is the first of its chain. */
  backupId: string;
  /** Ends it: connections are closed and `result` rejects. */
  signal: AbortSignal;
  /** Makes the backup incremental. */
  parent?: ParentBackup | undefined;
}

/** A backup in progress. The bytes are good only once `result` resolves: servers report errors after the last byte. */
export interface EngineBackup {
  objects: AsyncIterable<EngineObject>;
  /** The server's own estimate of the bytes to come, when it gives one; WAL is not in it. */
  estimatedBytes: number | null;
  result: Promise<EngineResult>;
}

/** A backup as a restore needs it: its objects as the server sent them. */
export type RestoreSource = ParentBackup;

/** What a restore has made. */
export interface RestoredFolder {
  /** Files that were compared with the server's own checksums; each matched. */
  files: number;
  /** Bytes written. */
  bytes: number;
  /** Where files of the server lie that belong outside of its folder, such as PostgreSQL's tablespaces. */
  outside: string[];
  /** False when the server keeps its settings elsewhere: they are not in the backup. */
  hasSettings: boolean;
  /** What in the folder was made otherwise than it is in the backup, each a line for people. */
  changed: string[];
  /** What is not as it should be, or can't be known to be, each a sentence for people. */
  warnings: string[];
}

export interface RestoreOptions {
  /** Where what belongs outside of the folder goes, by what the server calls it or by where the server had it. */
  tablespaces?: ReadonlyMap<string, string>;
  /** Called with the bytes written since the last call. */
  progress?: (bytes: number) => void;
  signal?: AbortSignal;
  /** The server is not to act for its source: what does is turned off, and `changed` says so. Default: all stays as it is. */
  standsAlone?: boolean;
  /** Whether the data's own checksums are looked at, which takes one more reading of all; default: of what was put together. */
  checksPages?: boolean;
  /** Data that are no good by their own checksums are told in `warnings`, and don't end the restore. */
  acceptsBadPages?: boolean;
}

export abstract class Engine {
  abstract readonly datastoreType: DatastoreType;

  /**
   * Starts a backup.
   * @throws {IncrementalNotPossible} when there is a parent that can't be built on; `objects` too, before the first of
   * them, when what has changed since can't be told
   */
  abstract backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup>;

  /**
   * Why the server can't take incremental backups; undefined when it can.
   * @throws {EngineFault} when the server can't be asked
   */
  abstract whyNotIncremental(target: EngineTarget, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Gives free what the server keeps for backups, so that nothing can be built on them any more. Every backup leaves
   * something, also one that failed may; what is there for the newest is all that is needed.
   * @throws {EngineFault} when the server can't be asked
   */
  abstract endChains(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void>;

  /**
   * Why a backup does not hold a later state of what another one holds, as a sentence: it is of another server, or of
   * another history of the same one. Undefined when it does.
   * @param former the facts of the earlier of the two
   */
  abstract whyNoDescendant(former: VaultManifest['engine'], now: VaultManifest['engine']): string | undefined;

  /**
   * Where servers are built from backups.
   * @param folder in which each instance's server has its data
   */
  abstract serve(folder: string): ServerHost;

  /** Who connects to a server, and to which database, where nothing is known of it. */
  abstract readonly usual: { readonly user: string; readonly database: string };

  /**
   * Restores a backup into an empty or missing folder, from which a server of the same major version starts. Until it is
   * whole none does, and no other restore gets into it. On failure the folder is left empty.
   * @param chain the full backup, then what was built on it, oldest first; the last is the one that is wanted
   * @throws {EngineFault} before anything is written when the chain is not one
   */
  abstract restore(
    chain: readonly RestoreSource[],
    directory: string,
    options?: RestoreOptions,
  ): Promise<RestoredFolder>;
}

/** The port to one kind of database server: takes its backups, and restores them into a folder. */
import type { Readable } from 'node:stream';
import type { Datastore, DatastoreType, Endpoint, VaultManifest } from '@strongroom/contracts';

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

/** A backup in progress. The bytes are good only once `result` resolves: servers report errors after the last byte. */
export interface EngineBackup {
  objects: AsyncIterable<EngineObject>;
  /** The server's own estimate of the bytes to come, when it gives one; WAL is not in it. */
  estimatedBytes: number | null;
  result: Promise<EngineResult>;
}

export interface RestoreSource {
  manifest: VaultManifest;
  /** An object's bytes as the server sent them: decompressed and checked against the manifest. */
  open(objectName: string): Readable;
}

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
}

export abstract class Engine {
  abstract readonly datastoreType: DatastoreType;

  /**
   * Starts a full backup.
   * @param signal ends it: connections are closed and `result` rejects
   * @throws {EngineFault}
   */
  abstract backup(target: EngineTarget, options: { label: string; signal: AbortSignal }): Promise<EngineBackup>;

  /**
   * Restores a full backup into an empty or missing folder, from which a server of the same major version starts.
   * On failure the folder is left empty.
   * @param progress called with the bytes written since the last call
   * @throws {EngineFault}
   */
  abstract restore(
    source: RestoreSource,
    directory: string,
    progress?: (bytes: number) => void,
  ): Promise<RestoredFolder>;
}

/**
 * The port to one kind of database server: takes its backups, and restores them into a folder. Everything that only holds
 * for one kind of server stands behind it, the sentences for people included.
 */
import type { Readable } from 'node:stream';
import type { Datastore, DatastoreType, Endpoint, EngineFacts, VaultManifest } from '@strongroom/contracts';
import type { EngineFault } from './engine-fault.js';
import type { Guests } from './guests.js';
import type { ServerHost } from './server-host.js';
import type { Trial, TrialOptions } from './trial.js';

/** How to reach the server, the credential included. Never logged. */
export interface EngineTarget {
  instanceId: string;
  /** Whose instance it is: an account has its share of the log-ins that may fail at a server. Default: none of its own. */
  accountId?: string | undefined;
  endpoint: Endpoint;
  password: string;
  /** The key of the endpoint's client certificate, as PEM. */
  clientKey?: string | undefined;
  /** Whether Strongroom runs the server itself, on the loopback interface. Default: it does not. */
  isBuiltHere?: boolean | undefined;
  /** Where the server is dialled, and nowhere else. `Doorkeeper` sets it. Default: wherever its host's name leads. */
  addresses?: readonly string[] | undefined;
  /**
   * Whether the instance was let in at each of these addresses before. Where it was not, what the network says of its host is told in
   * one sentence, whatever it was. `Doorkeeper` sets it. Default: it was.
   */
  isKnown?: boolean | undefined;
  /** Is told of each log-in how far it has come. `Doorkeeper` sets it. */
  onLogin?: ((login: Login) => void) | undefined;
}

/** `asked`: what proves the password has been sent, and the server may refuse it. `let-in`: it has not, at this address. */
export type Login = { is: 'asked' } | { is: 'let-in'; address: string };

/** Whether something can be done; the reason is sentences for people, and says what to change. */
export type Possibility = { isPossible: true } | { isPossible: false; why: string };

/** What can be taken of a server besides full backups. */
export interface Abilities {
  /** Backups that are built on a parent. */
  incremental: Possibility;
  /** The log of changes, in batches between the backups. */
  log: Possibility;
}

/** What a server says of itself. */
export interface ServerDescription extends Abilities {
  datastore: Datastore;
  /** `whyNoDescendant` compares these, to tell whether the server holds a later state of what a backup holds. */
  facts: EngineFacts;
}

/** One thing that a test has tried. */
export interface TriedStep {
  /** What was tried, as the object of a sentence. */
  what: string;
  /** Why it failed; undefined when it did not. */
  fault?: EngineFault | undefined;
}

/** Whether something can be done with a server as it is now. */
export interface Verdict {
  /** Everything that is missing, each as sentences for people which say what to change. Nothing is missing: it is possible. */
  missing: string[];
  /** Why the server can't even be asked. */
  fault?: EngineFault | undefined;
}

/** What a test of a server has found. */
export interface ServerTest {
  /**
   * What the server calls itself; undefined when it let nobody in. `clockAheadMs`: how far its clock is ahead of that of this machine, or behind it
   * where it is negative, to half of the time of a question; null when it did not tell.
   */
  server: { version: string; systemId: string | null; clockAheadMs: number | null } | undefined;
  full: Verdict;
  incremental: Verdict;
  tried: TriedStep[];
}

/** One stream of the server's bytes. Each is read to its end before the next one begins. */
export interface EngineObject {
  /** A file name without a compression suffix, such as `base.tar`. */
  name: string;
  source: AsyncIterable<Buffer>;
}

/** What is known when the server has sent everything and has said that it is good. */
export interface EngineResult {
  /** The kind and the version that the server reports. */
  datastore: Datastore;
  /** What a restore, or an incremental on top, needs to know. The vault's manifest keeps it. */
  facts: EngineFacts;
}

/** What an incremental backup is built on. */
export interface ParentBackup {
  manifest: VaultManifest;
  /**
   * An object of the parent, as the server sent it: decompressed, and checked against the manifest while it is read. One is read at a
   * time: to its end, or until it is destroyed.
   */
  open(objectName: string): Readable;
}

export interface BackupOptions {
  /** The id of the backup. A full one is the first of its chain. */
  backupId: string;
  /** Ends the backup: connections are closed and `result` rejects. */
  signal: AbortSignal;
  /** Makes the backup incremental. */
  parent?: ParentBackup | undefined;
}

/** A backup in progress. The bytes are good only once `result` resolves: servers report errors after the last byte. */
export interface EngineBackup {
  objects: AsyncIterable<EngineObject>;
  /** The server's own estimate of the bytes to come, without its log of changes; null when it gives none. */
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
  /** Where files of the server lie that belong outside of its folder. */
  outside: string[];
  /** What in the folder differs from the backup, each a line for people. */
  changed: string[];
  /** What is wrong or could not be checked, each a sentence for people. */
  warnings: string[];
  /** How a server is started on it, as lines for people. The last one is the command. */
  advice: string[];
}

export interface RestoreOptions {
  /** Where what belongs outside of the folder goes, by what the server calls it or by where the server had it. */
  places?: ReadonlyMap<string, string>;
  /** Called with the bytes written since the last call. */
  progress?: (bytes: number) => void;
  signal?: AbortSignal;
  /**
   * Turns off everything that the server would do in its source's place; `changed` says what. Default: everything stays as it
   * is.
   */
  standsAlone?: boolean;
  /** Whether the data's own checksums are looked at, which reads everything once more. Default: only after a chain. */
  checksPages?: boolean;
  /** Data with wrong checksums are reported in `warnings`, and don't end the restore. */
  acceptsBadPages?: boolean;
  /** The user of the operating system who writes, where a process of its own restores and this one is root's. */
  user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** What of a server may lie outside of its folder. The command line has an option for where it goes. */
export interface OutsideOption {
  /** Without dashes. */
  name: string;
  /** What `--help` says of it. */
  help: string;
  /** An example of what it takes, of the form OLD=NEW. */
  example: string;
}

/**
 * What an app has of an engine in its own process. Taking and restoring backups read a stranger's bytes without end, so they are done in
 * processes of their own (apart/).
 */
export type EngineWithoutBackups = Omit<Engine, 'backup' | 'restore'>;

export abstract class Engine {
  abstract readonly datastoreType: DatastoreType;

  /** The user and the database of a connection when an instance names none. */
  abstract readonly usual: { readonly user: string; readonly database: string };

  /** The major versions that backups are taken of and that were tried, the newest first. */
  abstract readonly versions: readonly [string, ...string[]];

  /** The objects that an incremental reads of its parent, by the names that the engine gives them. */
  abstract readonly readByIncrementals: readonly string[];

  /** Undefined when a server never has anything outside of its folder. */
  abstract readonly outside: OutsideOption | undefined;

  /**
   * What is possible with servers of a version. It asks no server.
   * @param version as the instance was registered with, such as `18` or `18.4`
   */
  abstract abilitiesOf(version: string): Abilities;

  /**
   * Asks a server what it is and what it can do.
   * @throws {EngineFault} when the server can't be asked, or its version can't be backed up
   */
  abstract describe(target: EngineTarget, signal: AbortSignal): Promise<ServerDescription>;

  /**
   * Tries everything that backups need, and tells all that is missing. It leaves nothing on the server.
   * @param options.withinMs how long the whole test may take
   * @throws only what is no fault of the server: a server that can't be reached is a result
   */
  abstract test(target: EngineTarget, options: { withinMs: number; signal?: AbortSignal }): Promise<ServerTest>;

  /**
   * Starts a backup.
   * @throws {IncrementalNotPossible} when there is a parent that can't be built on. `objects` throws it too, before the first
   *   object, when the changes since the parent can't be read
   */
  abstract backup(target: EngineTarget, options: BackupOptions): Promise<EngineBackup>;

  /**
   * Why a backup does not hold a later state of what another one holds, as a sentence: it is of another server, or of
   * another history of the same one. Undefined when it does.
   * @param former the facts of the earlier of the two
   */
  abstract whyNoDescendant(former: EngineFacts, now: EngineFacts): string | undefined;

  /**
   * The name of what a backup leaves on its server, by which the next incremental knows that the server holds the
   * backup's state. A backup that failed may have left it too.
   */
  abstract chainMarker(backupId: string): string;

  /**
   * Removes what the server keeps for these backups, so that nothing can be built on them any more. Only what is kept for
   * the newest backup of a server is ever needed.
   * @throws {EngineFault} when the server can't be asked
   */
  abstract release(target: EngineTarget, backupIds: readonly string[], signal: AbortSignal): Promise<void>;

  /** What of a backup may be left on a server that can't be asked any more, and how somebody removes it: text for people. */
  abstract describeLeftover(backupId: string, endpoint: Endpoint): string;

  /**
   * Restores a backup into an empty or missing folder, from which a server of the same major version starts. No server
   * starts on it before it is whole, and no other restore gets into it. On failure the folder is left empty.
   * @param chain the full backup, then what was built on it, oldest first; the last is the one that is wanted
   * @throws {EngineFault} before anything is written when the chain is not one
   */
  abstract restore(
    chain: readonly RestoreSource[],
    directory: string,
    options?: RestoreOptions,
  ): Promise<RestoredFolder>;

  /**
   * Starts a server on a restored folder that nobody else can reach, reads every table, and stops it.
   * @throws when the server does not start, or a table can't be read
   */
  abstract tryOut(restored: TrialOptions): Promise<Trial>;

  /**
   * Where servers are built from backups.
   * @param folder in which each instance's server has its data
   * @param guests how the servers are confined. Default: they run as the user of this process
   */
  abstract serve(folder: string, guests?: Guests): ServerHost;
}

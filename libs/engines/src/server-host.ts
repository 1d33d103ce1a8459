/**
 * Runs servers that are built from backups on this machine, each for one instance. The data of an instance's server are
 * complete here or absent, and an empty server never replaces one that was lost.
 */

/** What an instance's server has on this machine. */
export interface HostedData {
  directory: string;
  /** The region that it was restored from. */
  region: string;
}

/** What one attempt builds: a folder to restore into, which becomes the server's when the attempt finishes. */
export interface Build {
  /** The folder to restore into. */
  readonly directory: string;
  /** The user of the operating system whom what is restored is to belong to. Undefined: that of this process. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** False when a later attempt has taken the folder away. */
  readonly isCurrent: boolean;
  /**
   * Makes it the server's. It is durable when this returns.
   * @param region that it was restored from
   * @throws when a later attempt has begun
   */
  finish(region: string): Promise<HostedData>;
  /** Removes it, unless it was finished. */
  discard(): Promise<void>;
}

/** A server that runs. */
export interface HostedServer {
  /** A port of the loopback interface. */
  readonly port: number;
  readonly isRunning: boolean;
  /** Settles when the server's process has ended, with how it ended. */
  readonly ended: Promise<string>;
  /** Stops it. Nothing that the server has confirmed is lost. */
  stop(): Promise<void>;
}

/** What lies on this machine for an instance. */
export interface HeldHere {
  instanceId: string;
  /** The attempt that has left it and did not finish. Undefined: it is the server's own. */
  attempt: number | undefined;
}

export interface HostOptions {
  /** Default: any port that is free. */
  port?: number;
  /** Cancels the start. */
  signal: AbortSignal;
}

export abstract class ServerHost {
  /**
   * Why no server of this version can be built here, as a sentence; undefined when one can.
   * @param version as the server of the backup calls itself
   */
  abstract whyNotBuilt(version: string): string | undefined;

  /** Undefined when nothing was built for the instance here, or its disk is not mounted. */
  abstract find(instanceId: string): Promise<HostedData | undefined>;

  /** Whether the instance's server has its data here, and no other process has taken its port. */
  async serves(instanceId: string, _port: number): Promise<boolean> {
    return (await this.find(instanceId)) !== undefined;
  }

  /**
   * Removes what earlier attempts left, so that none of them can finish.
   * @param attempt a number that rises with each attempt
   * @returns undefined when a later attempt has begun
   */
  abstract build(instanceId: string, attempt: number): Promise<Build | undefined>;

  /**
   * Starts the server on its data. A server that an earlier process left running on them is stopped first. Its users and
   * their passwords are those of its source.
   * @throws {EngineFault} `server-did-not-start`
   */
  abstract start(instanceId: string, options: HostOptions): Promise<HostedServer>;

  /** Stops the instance's server, and removes everything of it. */
  abstract remove(instanceId: string): Promise<void>;

  /** Everything that servers have here, and attempts that did not finish. */
  abstract held(): Promise<HeldHere[]>;

  /** Removes what an attempt has left, which can't finish from then on. It stays as it is when the attempt has finished. */
  abstract removeAttempt(instanceId: string, attempt: number): Promise<void>;
}

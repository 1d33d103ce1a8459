/** What trying a restored folder out means: a server on it, which nobody else can reach, reads every table. */

export interface TrialOptions {
  /** The restored folder. */
  directory: string;
  /** A folder of the caller's own for everything else that the server needs. `directory` may lie in it. */
  scratch: string;
  /** The version of the server that the backup was taken of, such as `18.4`. */
  version: string;
  /** A folder with the programs of such a server. Default: those that come with Strongroom. */
  programs?: string | undefined;
  /** Stops the server, and ends the reading. */
  signal: AbortSignal;
}

/** What was read; or why no server was started, as a sentence for people. */
export type Trial = ReadDatabase[] | { notStarted: string };

export interface ReadDatabase {
  name: string;
  tables: ReadTable[];
}

export interface ReadTable {
  name: string;
  /** The number of rows, in decimal digits. */
  rows: string;
  /** Equal for equal rows, in any order. */
  digest: string;
}

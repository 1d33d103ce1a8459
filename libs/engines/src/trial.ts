/** A restored folder, tried out: a server that nobody else can reach has read every table of it. */

export interface TrialOptions {
  /** The restored folder. */
  directory: string;
  /** A folder of the caller's own for what the server needs besides; `directory` may lie in it. */
  scratch: string;
  /** Of the server that the backup was taken of, such as `18.4`. */
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
  /** How many, in decimal digits. */
  rows: string;
  /** The same for the same rows, in whatever order they lie. */
  digest: string;
}

/**
 * How the operator has the servers confined that are built from backups. Whoever owns a backup decides what such a server does, so it is a
 * guest on this machine, and a hostile one.
 */

export interface Guests {
  /** Users of the operating system that have nothing else: one for each server. Only root can give them. */
  users?: { readonly first: number; readonly last: number } | undefined;
  /** How many processes each of these users may have. */
  mostProcesses?: number | undefined;
  /**
   * A program and its arguments that run the server's program, which comes after them with its own arguments. `{id}`, `{folder}`,
   * `{programs}` and `{port}` stand for the instance, for the folder of the server, for that of its programs, and for its port. In its folder
   * the server writes its data, and nothing else. The program ends when the server ends, and ends the server when it is killed.
   */
  command?: readonly string[] | undefined;
}

/** The command with its placeholders filled in. */
export function filledIn(command: readonly string[], values: Readonly<Record<string, string>>): string[] {
  return command.map((part) => part.replaceAll(/\{(\w+)\}/g, (found, name: string) => values[name] ?? found));
}

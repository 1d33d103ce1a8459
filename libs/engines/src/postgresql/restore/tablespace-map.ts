/**
 * The file of a backup that says where its tablespaces were, when their paths are too long for links in an archive. A server
 * that starts on it makes links to those places, which may be those of the source's own data. So a restore makes its own links
 * and leaves the file out.
 *
 *     OID PATH          a line each; a newline, a carriage return or a backslash in the path is written with a backslash before it
 */
export const mapName = 'tablespace_map';

/** The longest target of a link in an archive, in bytes. */
export const longestLink = 99;

/** The tablespaces with a folder of their own. Others lie within the server's folder, where their path is relative. */
export function linkedIn(map: string): string[] {
  return [...map.matchAll(/(?:^|(?<!\\)\n)(\d+) \//g)].flatMap(([, oid]) => oid ?? []);
}

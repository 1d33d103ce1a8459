/**
 * The classes of Kafka as Java has them when they are loaded, in a file beside the jars (class data sharing). A broker that starts
 * with it computes half as much. Java passes over a file that another Java has made, or that is of other jars.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';

function fileOf(jars: string, javaVersion: string): string {
  return `${jars}-java-${javaVersion}.jsa`;
}

export function hasClassArchive(jars: string, javaVersion: string): boolean {
  return existsSync(fileOf(jars, javaVersion));
}

/** The arguments of a Java that uses the file where it is there. */
export function withClassArchive(jars: string, javaVersion: string): string[] {
  return hasClassArchive(jars, javaVersion) ? [`-XX:SharedArchiveFile=${fileOf(jars, javaVersion)}`] : [];
}

/**
 * Makes the file.
 * @param runOnce runs a broker with these further arguments, stops it, and tells how it ended: Java writes the file when it ends by
 * itself, and one that was killed may have written half of it
 */
export async function makeClassArchive<Broker>(
  jars: string,
  javaVersion: string,
  runOnce: (args: string[]) => Promise<{ broker: Broker; how: string }>,
): Promise<Broker> {
  const file = fileOf(jars, javaVersion);
  const unfinished = `${file}.${process.pid}`;
  try {
    const { broker, how } = await runOnce([`-XX:ArchiveClassesAtExit=${unfinished}`]);
    if (existsSync(unfinished) && how.startsWith('ended with code')) renameSync(unfinished, file);
    return broker;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

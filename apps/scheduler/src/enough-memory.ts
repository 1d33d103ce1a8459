/**
 * Warns when the processes that take and restore backups and the built servers may together need more memory than the scheduler's container
 * has.
 */
import type { Logger } from '@strongroom/runtime';

export interface MemoryOfEngines {
  engineMemoryBytes: number;
  backupConcurrency: number;
  restoreConcurrency: number;
  /** Without it no server is built, and nothing is restored. */
  instancesFolder?: string;
  mostBuiltServers: number;
}

const mebibyte = 1_048_576;
/** What the scheduler needs itself, with room to spare. */
const ownBytes = 512 * mebibyte;
/** What a built server needs with some connections: 128 MiB of it are its shared buffers. A hostile one takes more. */
const builtServerBytes = 256 * mebibyte;

/** What the container of a scheduler must have, in bytes, so that no process of an engine takes memory from another. */
export function neededMemory(config: MemoryOfEngines): number {
  const { engineMemoryBytes, backupConcurrency, restoreConcurrency, instancesFolder, mostBuiltServers } = config;
  const own = ownBytes + backupConcurrency * engineMemoryBytes;
  if (instancesFolder === undefined) return own;
  return own + restoreConcurrency * engineMemoryBytes + mostBuiltServers * builtServerBytes;
}

/** @param containerBytes the limit of the container; 0, or more than there is, where there is none */
export function warnOfMemory(
  config: MemoryOfEngines,
  log: Pick<Logger, 'warn'>,
  containerBytes = process.constrainedMemory(),
): void {
  const needed = neededMemory(config);
  if (containerBytes === 0 || containerBytes >= needed) return;
  const [has, needs] = [containerBytes, needed].map((bytes) => Math.ceil(bytes / mebibyte));
  log.warn(
    `The container has ${has} MiB of memory, and the scheduler may need ${needs} MiB with the processes that take and restore backups and with the servers that are built from backups. A backup that blows up may then end others. Give it more, or lower STRONGROOM_ENGINE_MEMORY_MIB or STRONGROOM_BUILT_SERVERS_MOST.`,
  );
}

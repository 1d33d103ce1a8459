/** Warns when the processes that take and restore backups may together need more memory than the scheduler's container has. */
import type { Logger } from '@strongroom/runtime';

export interface MemoryOfEngines {
  engineMemoryBytes: number;
  backupConcurrency: number;
  restoreConcurrency: number;
  /** Without it no server is built, and nothing is restored. */
  instancesFolder?: string;
}

const mebibyte = 1_048_576;
/** What the scheduler needs itself, with room to spare. */
const ownBytes = 512 * mebibyte;

/** What the container of a scheduler must have, in bytes, so that no process of an engine takes memory from another. */
export function neededMemory(config: MemoryOfEngines): number {
  const { engineMemoryBytes, backupConcurrency, restoreConcurrency, instancesFolder } = config;
  const restores = instancesFolder === undefined ? 0 : restoreConcurrency;
  return ownBytes + (backupConcurrency + restores) * engineMemoryBytes;
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
    `The container has ${has} MiB of memory, and the processes that take and restore backups may need ${needs} MiB with the scheduler. A backup that blows up may then end others. Give it more, or lower STRONGROOM_ENGINE_MEMORY_MIB.`,
  );
}

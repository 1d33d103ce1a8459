/**
 * Restores a backup for the command line. It is restored in a process of its own, which has a limit of memory: a backup that blows up
 * ends that process, and the command says why. The disks are looked at before the restore and while it writes.
 */
import { messageOf } from '@strongroom/contracts';
import {
  DiskRoom,
  EngineFault,
  EnginesApart,
  type OpenedBackup,
  type RestoreBackupOptions,
  type RestoredBackup,
  restoreBackup,
} from '@strongroom/engines';
import { engineMemory, freeSpaceReserve, type Setting } from '@strongroom/runtime/light';
import { UsageFault } from './command-fault.js';
import { note } from './output.js';

export interface WantedRestore extends Omit<RestoreBackupOptions, 'restorerFor' | 'progress' | 'signal'> {
  /** What is put together, the full backup first. */
  chain: readonly OpenedBackup[];
  /** What is written besides, in bytes. */
  spareBytes?: number;
  progress: (bytes: number) => void;
}

const mebibyte = 1_048_576;
/** After these, the process of the restore may have left something. */
const mayLeaveSome: ReadonlySet<string> = new Set(['engine-process-ended', 'backup-limit-reached', 'cancelled']);

/** A signal that the user ends: by the keyboard, or by SIGTERM. */
export function interruption(): AbortSignal {
  const ending = new AbortController();
  process.once('SIGINT', () => ending.abort());
  process.once('SIGTERM', () => ending.abort());
  return ending.signal;
}

/** How many bytes a restore of the chain writes: the full backup at the least, and all that was built on it at the most. */
export function bytesOf(chain: readonly OpenedBackup[]): { least: number; most: number } {
  const [least = 0, ...others] = chain.map(({ manifest }) =>
    manifest.objects.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
  );
  return { least, most: others.reduce((sum, bytes) => sum + bytes, least) };
}

/** @throws {EngineFault | VaultFault | UsageFault} */
export async function restoreApart(
  { chain, spareBytes = 0, progress, ...wanted }: WantedRestore,
  signal: AbortSignal,
): Promise<RestoredBackup> {
  const { directory, places = new Map<string, string>() } = wanted;
  const memoryBytes = given(engineMemory) * mebibyte;
  const room = new DiskRoom([directory, ...places.values()], given(freeSpaceReserve) * mebibyte);
  const { least, most } = bytesOf(chain);
  await room.mustHold(least + spareBytes, most + spareBytes);
  const engines = new EnginesApart({ memoryBytes });
  try {
    return await room.watch(signal, (ends, wrote) =>
      restoreBackup({
        ...wanted,
        restorerFor: (type) => engines.of(type),
        signal: ends,
        progress(bytes) {
          progress(bytes);
          wrote(bytes);
        },
      }),
    );
  } catch (error) {
    if (error instanceof EngineFault && mayLeaveSome.has(error.code)) tellLeft(error, directory);
    throw error;
  }
}

function tellLeft({ cause }: EngineFault, directory: string): void {
  if (cause !== undefined) note(`strongroom: ${messageOf(cause)}`);
  note(
    `strongroom: if something was left in ${directory}, no server starts on it. The next restore there says how to remove it.`,
  );
}

/** @throws {UsageFault} when the environment has a wrong value */
function given({ name, form, default: usual }: Setting<number> & { default: string }): number {
  const found = form.schema.safeParse(process.env[name] || usual);
  if (found.success) return found.data;
  throw new UsageFault(`${name} must be ${form.says}.`, 'Set it so, or leave it out.');
}

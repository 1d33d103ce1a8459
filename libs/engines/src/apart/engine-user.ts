/**
 * The user of the operating system whom root gives to a process that works with a stranger's bytes. It can read nothing of ours: the process
 * gets its job and its bytes over pipes, and writes to them, or into the folder of its restore.
 */
import { statSync } from 'node:fs';
import { canReach } from '@strongroom/server-processes';

export interface EngineUser {
  readonly uid: number;
  readonly gid: number;
}

const readByOthers = 0o004;

/**
 * Whether this process can give the user to a process that runs the program. Only root can, and only where the program is open to others.
 * @param program its file, and what comes before its own arguments
 */
export function canRunEngines({ uid, gid }: EngineUser, [program = '']: readonly string[]): boolean {
  const user = { name: `the user ${uid}`, uid, gid };
  if (process.getuid?.() !== 0) return false;
  return [process.execPath, program].every((path) => {
    const { mode } = statSync(path, { throwIfNoEntry: false }) ?? { mode: 0 };
    return (mode & readByOthers) !== 0 && canReach(path, user);
  });
}

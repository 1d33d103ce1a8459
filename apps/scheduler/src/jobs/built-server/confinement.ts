/**
 * Whether the servers that this process builds from backups are kept from what is ours. As root, they are or it does not start. Otherwise
 * the operator is told what they could reach.
 */
import { ConfigFault, type ConfigOf, type Logger } from '@strongroom/runtime';

interface Config extends Pick<ConfigOf['scheduler'], 'instancesFolder'> {
  guests: Pick<ConfigOf['scheduler']['guests'], 'users' | 'command'>;
}

/**
 * @param isRoot whether this process is root's
 * @throws {ConfigFault} where they would run as a user that others have too, though each could have one of its own
 */
export function checkConfinement(
  { instancesFolder, guests: { users, command } }: Config,
  log: Pick<Logger, 'warn'>,
  isRoot = process.getuid?.() === 0,
): void {
  if (instancesFolder === undefined) return;
  if (isRoot && !users) {
    const problem =
      'is not set; this scheduler runs as root, and gives each built server a user of its own: name a range of user ids that nothing else has';
    throw new ConfigFault('scheduler', [{ variable: 'STRONGROOM_BUILT_SERVERS_UIDS', problem }]);
  }
  if (!isRoot && users) {
    const problem = 'is set; only a scheduler that runs as root can run servers as other users';
    throw new ConfigFault('scheduler', [{ variable: 'STRONGROOM_BUILT_SERVERS_UIDS', problem }]);
  }
  if (users || command) return;
  log.warn(
    'Built servers run as the user of this scheduler, and code of a backup can read whatever this scheduler can: its key, its database and its vaults. Set STRONGROOM_BUILT_SERVERS_COMMAND, or run the scheduler as root with STRONGROOM_BUILT_SERVERS_UIDS. See "Built servers" in docs/operations.md.',
  );
}

/** Warns where the processes that take and restore backups run as root, because no other user can run their program. */
export function checkEngineUsers(
  apart: { readonly canHaveUsers: boolean },
  { engineUser }: Pick<ConfigOf['scheduler'], 'engineUser'>,
  log: Pick<Logger, 'warn'>,
  isRoot = process.getuid?.() === 0,
): void {
  if (!isRoot || engineUser === undefined || apart.canHaveUsers) return;
  log.warn(
    'The processes that take and restore backups run as root, because the folder of this program or of Node is closed to other users. Install it where every user can read it.',
  );
}

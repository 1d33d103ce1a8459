/** The environment of a scheduler that builds servers in a folder. Where this is root, each has a user of its own. */
import { randomInt } from 'node:crypto';

/** Other runs on this machine have other users: the processes of a user are ended with its server. */
const [firstRange, ranges, ofRange] = [100_000, 1_000_000, 32];

export function builtServersIn(folder: string): Record<string, string> {
  const first = firstRange + randomInt(ranges) * ofRange;
  const isRoot = process.getuid?.() === 0;
  return {
    STRONGROOM_BUILT_SERVERS: 'on',
    STRONGROOM_INSTANCES_DIR: folder,
    ...(isRoot && { STRONGROOM_BUILT_SERVERS_UIDS: `${first}-${first + ofRange - 1}` }),
  };
}

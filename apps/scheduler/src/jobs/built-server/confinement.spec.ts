import { describe, expect, it } from '@jest/globals';
import { checkConfinement, checkEngineUsers } from './confinement.js';

const users = { first: 700_000, last: 700_063 };
const command = ['/usr/bin/bwrap', '--'];
const instancesFolder = '/var/lib/strongroom/instances';

function told(guests: Parameters<typeof checkConfinement>[0]['guests'], isRoot: boolean): string[] {
  const warnings: string[] = [];
  checkConfinement({ instancesFolder, guests }, { warn: (sentence: string) => void warnings.push(sentence) }, isRoot);
  return warnings;
}

describe('the confinement of built servers', () => {
  it('is a user for each where the scheduler is root, which does not start without', () => {
    expect(told({ users }, true)).toEqual([]);
    expect(() => told({}, true)).toThrow('STRONGROOM_BUILT_SERVERS_UIDS is not set; this scheduler runs as root');
    expect(() => told({ command }, true)).toThrow('STRONGROOM_BUILT_SERVERS_UIDS is not set');
  });

  it('is told as missing where the scheduler is not root and has no command', () => {
    expect(told({ command }, false)).toEqual([]);
    expect(told({}, false)).toEqual([expect.stringContaining('can read whatever this scheduler can')]);
    expect(() => told({ users }, false)).toThrow('only a scheduler that runs as root');
  });

  it('is not asked for where no servers are built', () => {
    checkConfinement({ guests: {} }, { warn: () => expect('a warning').toBe('none') }, true);
  });

  it('of the processes that parse backups is told as missing where root can give them no user', () => {
    const warnings: string[] = [];
    const log = { warn: (sentence: string) => void warnings.push(sentence) };
    const engineUser = { uid: 700_063, gid: 700_063 };
    checkEngineUsers({ canHaveUsers: true }, { engineUser }, log, true);
    checkEngineUsers({ canHaveUsers: false }, { engineUser }, log, false);
    checkEngineUsers({ canHaveUsers: false }, {}, log, true);
    expect(warnings).toEqual([]);
    checkEngineUsers({ canHaveUsers: false }, { engineUser }, log, true);
    expect(warnings).toEqual([expect.stringContaining('run as root')]);
  });
});

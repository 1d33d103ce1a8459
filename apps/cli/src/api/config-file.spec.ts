import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CredentialFault, UsageFault } from '../command-fault.js';
import { configPath, readConfig, writeConfig } from './config-file.js';

const profile = { url: 'https://backups.example.com', account: 'acme', token: 'secret' };
const content = { current: 'work', profiles: { work: profile } };
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-config-'));
  path = configPath({ XDG_CONFIG_HOME: join(folder, 'xdg') });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (of: string) => ((await stat(of)).mode & 0o777).toString(8);

describe('the file of the profiles', () => {
  it('is where XDG says, and a relative path says nothing', () => {
    expect(path).toBe(join(folder, 'xdg', 'strongroom', 'config.json'));
    expect(configPath({ XDG_CONFIG_HOME: 'relative' })).toBe(configPath({}));
    expect(configPath({})).toMatch(/\/\.config\/strongroom\/config\.json$/);
  });

  it('is read by its owner alone, whatever the umask, and leaves nothing beside it', async () => {
    expect(await readConfig(path)).toEqual({ profiles: {} });
    const before = process.umask(0);
    try {
      await writeConfig(path, content);
    } finally {
      process.umask(before);
    }
    expect(await readConfig(path)).toEqual(content);
    expect([await modeOf(path), await modeOf(dirname(path))]).toEqual(['600', '700']);
    expect(await readdir(dirname(path))).toEqual(['config.json']);
  });

  it('takes the place of the old one as a whole', async () => {
    await writeConfig(path, content);
    const inode = (await stat(path)).ino;
    await writeConfig(path, { ...content, current: 'home', profiles: { ...content.profiles, home: profile } });
    expect((await stat(path)).ino).not.toBe(inode);
    expect((await readConfig(path)).current).toBe('home');
  });

  it('is refused when others can read it, with the command that mends it', async () => {
    await writeConfig(path, content);
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(path, mode);
      const refused = readConfig(path);
      await expect(refused).rejects.toBeInstanceOf(CredentialFault);
      await expect(refused).rejects.toThrow(`Run: chmod 600 '${path}'`);
    }
    // The file behind a link counts, not the link.
    await symlink(path, join(folder, 'link'));
    await expect(readConfig(join(folder, 'link'))).rejects.toBeInstanceOf(CredentialFault);
  });

  it('is no file of profiles when it has another form, and its content is not quoted', async () => {
    await writeConfig(path, content);
    for (const text of ['{"profiles": {"a": {"token": "secret"}}}', 'secret', '{"profiles": {"__proto__x": 1}}']) {
      await writeFile(path, text);
      const refused = readConfig(path);
      await expect(refused).rejects.toBeInstanceOf(UsageFault);
      await expect(refused).rejects.not.toThrow('secret');
    }
  });

  it('stays as it was when it cannot be written', async () => {
    await writeFile(join(folder, 'xdg'), 'a file where the folder should be');
    await expect(writeConfig(path, content)).rejects.toThrow("can't be written");
    expect(await readFile(join(folder, 'xdg'), 'utf8')).toBe('a file where the folder should be');
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { VaultManifest } from '@strongroom/contracts';
import { type Entry, file, serverManifest, tarOf } from '../../../fixtures/server-archive.js';
import { settingLines } from './configuration-text.js';
import { restoreDataDirectory } from './restore.js';
import { listedFiles } from './server-manifest.js';
import { standAloneInFiles, standAloneSettings } from './stand-alone-settings.js';

describe('a restored server that stands alone', () => {
  let parent: string;
  let target: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'strongroom-alone-'));
    target = join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  function restored(files: Record<string, string>, standsAlone = true, version = '18.4') {
    const all = { PG_VERSION: '18\n', ...files };
    const entries: Entry[] = Object.entries(all).map(([name, content]) => file(name, content));
    const objects = ['base.tar.zst', 'backup_manifest.zst'].map((name) => ({ name, rawBytes: 1_000 }));
    const datastore = { type: 'postgresql', version };
    const manifest = { objects, parentId: null, backupId: 'b', engine: {}, datastore } as Partial<VaultManifest>;
    const open = (name: string) =>
      name === 'base.tar' ? Readable.from(tarOf(entries)) : Readable.from([Buffer.from(serverManifest(all))]);
    return restoreDataDirectory([{ manifest: manifest as VaultManifest, open }], target, { standsAlone });
  }
  const read = (name: string) => readFile(join(target, name), 'latin1');
  const listed = async () => {
    const files: Record<string, number> = {};
    for await (const { path, sizeBytes } of listedFiles(
      Readable.from([await readFile(join(target, 'backup_manifest'))]),
    ))
      files[path] = sizeBytes;
    return files;
  };
  /** What counts for a server: the last line of each setting. */
  const settings = async () =>
    Object.fromEntries(
      [...settingLines(await read('postgresql.conf')), ...settingLines(await read('postgresql.auto.conf'))].map(
        ({ name, value }) => [name, value],
      ),
    );
  const plain = { 'postgresql.conf': 'port = 5432\n', 'pg_hba.conf': 'local all all peer\n', 'pg_ident.conf': '' };

  it('does not archive, follow, subscribe, wait for standbys, preload or listen for its source', async () => {
    const { changed } = await restored({
      ...plain,
      'postgresql.conf': "archive_mode = on\nArchive_Command 'cp %p /archive/%f'\nlisten_addresses='*'\nport = 6000\n",
      'postgresql.auto.conf':
        "primary_conninfo = 'host=production password=secret'\nsynchronous_standby_names = '1 (a)'",
      'standby.signal': '',
    });
    expect(await settings()).toMatchObject({ ...standAloneInFiles(18), port: '6000' });
    expect(await readdir(target)).not.toContain('standby.signal');
    expect(await readdir(target)).toContain('standby.signal.before-restore');
    expect(await read('postgresql.auto.conf.before-restore')).toMatch(/^primary_conninfo = 'host=production/);
    for (const told of [
      'standby.signal is now',
      "archive_mode = 'off'",
      "archive_command = ''",
      "primary_conninfo = ''",
    ]) {
      expect(changed.join('\n')).toContain(told);
    }
    expect(changed.join('\n')).toContain('Subscriptions don');
    expect(changed.join('\n')).not.toContain('secret');
  });

  it('reads nothing from outside of its folder, also not through an include', async () => {
    const { changed } = await restored({
      ...plain,
      'postgresql.conf': [
        "include '/etc/shadow'",
        "include_if_exists = '../secret.conf'",
        "include_dir 'conf.d' # ours",
        "data_directory = '/var/lib/postgresql/18/main'",
        "hba_file = '/etc/postgresql/pg_hba.conf'",
        "ident_file = 'pg_ident.conf'",
        "  INCLUDE'missing.conf'",
        "#include '/commented/out'",
        '',
      ].join('\n'),
      'conf.d/own.conf': "work_mem = '8MB'\ninclude '../../outside.conf'\n",
      'pg_hba.conf':
        'local all all peer\ninclude /etc/pg_hba.conf\ninclude_dir "/etc/hba.d"\nlocal all @/etc/admins peer\nlocal all "@x" peer\n# @/etc/y\n',
    });
    const names = settingLines(await read('postgresql.conf')).map(({ name, value }) => `${name} ${value}`);
    expect(names).toEqual(['include_dir conf.d']);
    expect(changed.join('\n')).toContain('ident_file is commented out, since it holds only from within the folder');
    expect(settingLines(await read('conf.d/own.conf')).map(({ name }) => name)).toEqual(['work_mem']);
    expect(await read('pg_hba.conf')).toMatch(/^local all all peer\n#include \/etc\/pg_hba.conf .*\n#include_dir/);
    expect(changed.join('\n')).toContain('postgresql.conf: data_directory is commented out');
    expect(changed.join('\n')).toContain('conf.d/own.conf: include is commented out');
    expect(changed.join('\n')).toContain('pg_hba.conf: 3 lines that lead out of the folder');
  });

  it('looks into the rules of access where the settings say that they are', async () => {
    const { changed } = await restored({
      ...plain,
      'postgresql.conf': "hba_file = 'rules/hba.conf'\n",
      'rules/hba.conf': 'local all @admins peer\nlocal all @../../admins peer\n',
      'rules/admins': 'alice\n',
    });
    expect(await read('rules/hba.conf')).toMatch(/^local all @admins peer\n#local all @\.\.\/\.\.\/admins peer/);
    expect(await read('pg_hba.conf')).toBe(plain['pg_hba.conf']);
    expect(changed.join('\n')).toContain('hba_file is relative to where the server is started');
  });

  it('takes out all lines of a rule of access that has several, and looks into what rules include', async () => {
    await restored({
      ...plain,
      'pg_hba.conf':
        'host all \\\n  @/etc/admins \\\r\n  127.0.0.1/32 md5\n# a comment \\\n@/etc/y\ninclude \\\n/etc/hba\ninclude own.conf\ninclude_dir hba.d\nlocal all @names peer\n',
      'own.conf': '"include" /etc/hba\nlocal all bob peer\n',
      'hba.d/one.conf': 'include ../../one.conf\n',
      'hba.d/one.other': 'include ../../one.conf\n',
      names: 'alice\n@/etc/names\n',
    });
    const lines = (await read('pg_hba.conf')).split('\n');
    const isOut = (line: string) => line.startsWith('#') && !line.endsWith('\\');
    expect(lines.slice(0, 3).every(isOut)).toBe(true);
    expect(lines.slice(3, 5)).toEqual(['# a comment \\', '@/etc/y']);
    expect(lines.slice(5, 7).every(isOut)).toBe(true);
    expect(lines.slice(7)).toEqual(['include own.conf', 'include_dir hba.d', 'local all @names peer', '']);
    expect(await read('own.conf')).toMatch(/^#"include" .*\nlocal all bob peer\n$/);
    expect(await read('hba.d/one.conf')).toMatch(/^#include/);
    expect(await read('hba.d/one.other')).toMatch(/^include/);
    expect(await read('names')).toMatch(/^alice\n#@\/etc\/names/);
  });

  it('has no recovery.conf, on which no server starts; and what roles and databases set for themselves is reported', async () => {
    const { changed } = await restored({ ...plain, 'recovery.conf': "primary_conninfo = 'host=production'\n" });
    expect(await readdir(target)).toEqual(expect.arrayContaining(['recovery.conf.before-restore']));
    expect(await readdir(target)).not.toContain('recovery.conf');
    expect(changed.join('\n')).toContain('pg_db_role_setting');
  });

  it('has a manifest that is true to the folder, originals included', async () => {
    await restored({ ...plain, 'postgresql.conf': "include '/etc/x'\n", 'recovery.signal': '' });
    const files = await listed();
    const there = (await readdir(target)).filter((name) => name !== 'backup_manifest');
    expect(Object.keys(files).sort()).toEqual(there.sort());
    for (const name of there) expect([name, (await readFile(join(target, name))).length]).toEqual([name, files[name]]);
  });

  it('starts where its source kept its settings elsewhere: minimal files are put there, and reported', async () => {
    const { changed, advice } = await restored({});
    expect(advice.join('\n')).toContain('The server kept its settings elsewhere');
    expect(advice.join('\n')).not.toContain('It does not start without them');
    expect(changed.join('\n')).toContain('postgresql.conf is not in the backup');
    expect(await read('pg_hba.conf')).toMatch(/^local all all peer$/m);
    expect((await readdir(target)).sort()).toContain('pg_ident.conf');
  });

  it('is not made when nobody asks for it: then nothing is changed', async () => {
    const files = { ...plain, 'postgresql.conf': "archive_mode = on\ninclude '/etc/x'\n", 'standby.signal': '' };
    const { changed } = await restored(files, false);
    expect(changed).toEqual([]);
    expect(await read('postgresql.conf')).toBe(files['postgresql.conf']);
    expect((await readdir(target)).sort()).toEqual(['PG_VERSION', 'backup_manifest', ...Object.keys(files)].sort());
  });

  it('is told no setting that its version does not know', () => {
    expect(Object.keys(standAloneSettings(15))).not.toContain('sync_replication_slots');
    expect(Object.keys(standAloneSettings(15))).toContain('promote_trigger_file');
    expect(Object.keys(standAloneSettings(18))).toContain('extension_control_path');
    expect(Object.keys(standAloneSettings(18))).not.toContain('listen_addresses');
  });
});

describe('a line of a postgresql.conf', () => {
  it.each([
    ["a = 'b'", 'a', 'b'],
    ['  Archive_Mode on # not off', 'archive_mode', 'on'],
    ["include'x y'", 'include', 'x y'],
    ["a='it''s' ", 'a', "it's"],
    ["a = 'it\\'s \\101'", 'a', "it's A"],
    ['cron.database = db', 'cron.database', 'db'],
    ['port=5432', 'port', '5432'],
    // The byte is a space in other encodings than UTF-8.
    ['include conf\xc3\xa0.d', 'include', 'conf\xc3\xa0.d'],
    ["a = '' # none", 'a', ''],
  ])('%s sets %s to %s', (text, name, value) => expect(settingLines(text)).toEqual([{ index: 0, name, value }]));

  it.each(['', '# a = b', '   #include x', '= 5'])('%s sets nothing', (text) => expect(settingLines(text)).toEqual([]));
});

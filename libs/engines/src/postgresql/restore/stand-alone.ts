/**
 * Makes a restored folder that of a server of its own: started on it as it is, it does not archive, follow, subscribe or
 * listen for its source, and needs nothing of the source's machine. What is overridden stands at the end of
 * postgresql.auto.conf, which is read last; lines that can't be overridden are commented out. Of every file that is changed
 * the original lies beside it, and the folder's manifest stays true.
 */
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { VaultManifest } from '@strongroom/contracts';
import { amendManifest } from './amend-manifest.js';
import { shown } from './byte-path.js';
import { joinedLines, settingLine, settingLines, withLinesOut } from './configuration-text.js';
import { standAloneInFiles } from './stand-alone-settings.js';
import { modes, type TargetTree } from './target-tree.js';

const keptAs = '.before-restore';
/** On the last of them, which versions before 12 have left, no server starts. */
const signals = ['standby.signal', 'recovery.signal', 'recovery.conf'];
const main = 'postgresql.conf';
/** What `ALTER SYSTEM` writes: read after all others. */
const last = 'postgresql.auto.conf';
const access = 'pg_hba.conf';
const ident = 'pg_ident.conf';
const includes: ReadonlySet<string> = new Set(['include', 'include_if_exists', 'include_dir']);
/**
 * Read before postgresql.auto.conf can say otherwise, with what is in the folder of itself. A relative one is looked for
 * where the server is started, which is hardly ever its folder.
 */
const placesOfFiles: ReadonlyMap<string, string> = new Map([
  ['data_directory', '.'],
  ['hba_file', access],
  ['ident_file', ident],
]);
const accessInclude = /^[ \t]*"?(include|include_if_exists|include_dir)"?[ \t]+"?([^" \t\r\n#]+)/;
/** A list of names in a file, in place of names; in quotes it is a name. */
const accessList = /(?:^|[ \t\r,])@"?([^" \t\r\n,#]+)/g;
const mark = 'taken out by the restore: it leads out of the folder';
const mostDepth = 10;

const minimal: Readonly<Record<string, string>> = {
  [main]: '# The backup holds no postgresql.conf: its server kept its settings elsewhere.\n',
  [access]:
    '# The backup holds no pg_hba.conf: its server kept it elsewhere. This lets in who is on this machine.\nlocal all all peer\nhost all all 127.0.0.1/32 md5\nhost all all ::1/128 md5\n',
  [ident]: '# The backup holds no pg_ident.conf: its server kept it elsewhere.\n',
};

/** @returns what was changed, a line each, for people */
export async function standAlone(tree: TargetTree, { datastore }: VaultManifest): Promise<string[]> {
  const changing = new Changing(tree);
  for (const name of signals) await changing.moveAway(name);
  for (const [name, text] of Object.entries(minimal)) await changing.putWhereMissing(name, text);
  await changing.takeOut(main);
  await changing.takeOut(last);
  await changing.takeOutOfAccess(access, 'hba_file');
  await changing.takeOutOfAccess(ident, 'ident_file');
  await changing.override(standAloneInFiles(Number.parseInt(datastore.version, 10)));
  await amendManifest(tree, changing.touched);
  return changing.said;
}

class Changing {
  readonly touched = new Set<string>();
  readonly said: string[] = [];
  /** As the files say, the last of them in the end. */
  private readonly settings = new Map<string, string>();

  constructor(private readonly tree: TargetTree) {}

  async moveAway(name: string): Promise<void> {
    if ((await this.read(name)) === undefined) return;
    await rename(this.tree.at(name), this.tree.at(`${name}${keptAs}`));
    this.made(name, `${name}${keptAs}`);
    this.said.push(`${name} is now called ${name}${keptAs}: the server follows nobody.`);
  }

  async putWhereMissing(name: string, text: string): Promise<void> {
    if ((await this.read(name)) !== undefined) return;
    await writeFile(this.tree.at(name), text, { mode: modes.owner.file });
    this.made(name);
    this.said.push(`${name} is not in the backup: one that does the least was put there.`);
  }

  /** Comments out what leads out of the folder, in this file and in those that it includes. */
  async takeOut(path: string, depth = 0): Promise<void> {
    const text = await this.read(path);
    if (text === undefined || depth > mostDepth) return;
    const out = new Set<number>();
    for (const { index, name, value } of settingLines(text)) {
      const isInclude = includes.has(name);
      if (!isInclude && !placesOfFiles.has(name)) {
        this.settings.set(name, value);
        continue;
      }
      // Includes are relative to the file that has them, others to the folder.
      const within = await this.within(value, isInclude ? posix.dirname(path) : '');
      const isKept = within !== undefined && within !== placesOfFiles.get(name) && name !== 'data_directory';
      if (isKept && isInclude) for (const file of await this.filesOf(name, within)) await this.takeOut(file, depth + 1);
      else if (isKept) {
        this.settings.set(name, within);
        this.said.push(
          `${shown(path)}: ${name} is relative to where the server is started: start it from within the folder.`,
        );
      }
      if (isKept) continue;
      out.add(index);
      const why =
        within === undefined ? 'since it leads out of the folder' : 'since it holds only from within the folder';
      this.said.push(`${shown(path)}: ${name} is commented out, ${why}.`);
    }
    if (out.size > 0) await this.replace(path, text, withLinesOut(text, out, mark));
  }

  /** @param setting that says which file it is, where it is another one than usual */
  async takeOutOfAccess(usual: string, setting: string): Promise<void> {
    await this.takeOutOfRules(this.settings.get(setting) ?? usual);
  }

  /** Of rules of access, of those that they include, and of the lists of names that they read. */
  private async takeOutOfRules(path: string, depth = 0): Promise<void> {
    const text = await this.read(path);
    if (text === undefined || depth > mostDepth) return;
    const out = new Set<number>();
    for (const { indices, line } of joinedLines(text)) {
      if (/^\s*#/.test(line)) continue;
      const [, kind = '', included] = accessInclude.exec(line) ?? [];
      const lists = [...line.matchAll(accessList)].flatMap(([, list]) => list ?? []);
      for (const named of [...(included === undefined ? [] : [included]), ...lists]) {
        const within = await this.within(named, posix.dirname(path));
        if (within === undefined) for (const index of indices) out.add(index);
        else
          for (const file of await this.filesOf(named === included ? kind : '', within)) {
            await this.takeOutOfRules(file, depth + 1);
          }
      }
    }
    if (out.size === 0 || this.touched.has(path)) return;
    await this.replace(path, text, withLinesOut(text, out, mark));
    this.said.push(`${shown(path)}: ${out.size} lines that lead out of the folder are commented out.`);
  }

  /** What a line includes. */
  private async filesOf(kind: string, path: string): Promise<string[]> {
    if (kind !== 'include_dir') return [path];
    const names = await this.tree.names(path);
    return names.filter((name) => name.endsWith('.conf') && !name.startsWith('.')).map((name) => `${path}/${name}`);
  }

  async override(settings: Readonly<Record<string, string>>): Promise<void> {
    const text = (await this.read(last)) ?? '';
    const lines = Object.entries(settings).map(([name, value]) => settingLine(name, value));
    const block = ['# Put here by the restore, so that the server does not act for its source:', ...lines].join('\n');
    const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
    await this.replace(last, text, `${ended}${block}\n`);
    const changed = Object.entries(settings).filter(([name, value]) => (this.settings.get(name) ?? value) !== value);
    for (const [name, value] of changed) this.said.push(`${last}: ${settingLine(name, value)}`);
    this.said.push(
      `${last}: all in all ${lines.length} settings that could act for the source, at its end. Subscriptions don't run before max_logical_replication_workers is set again: disable or drop them first.`,
      'What ALTER ROLE … SET and ALTER DATABASE … SET have said is in tables, and stays, libraries that they load among it: select * from pg_db_role_setting.',
    );
  }

  /** The path within the folder; undefined when it leads out of it, or there is nothing. */
  private async within(value: string, relativeTo: string): Promise<string | undefined> {
    if (posix.isAbsolute(value)) return undefined;
    const path = posix.normalize(posix.join(relativeTo === '.' ? '' : relativeTo, value));
    if (path === '..' || path.startsWith('../')) return undefined;
    return (await stat(this.tree.at(path)).catch(() => undefined)) === undefined ? undefined : path;
  }

  private async replace(path: string, before: string, text: string): Promise<void> {
    const kept = `${path}${keptAs}`;
    const mode = ((await stat(this.tree.at(path)).catch(() => undefined))?.mode ?? modes.owner.file) & 0o777;
    if (!this.touched.has(kept)) await writeFile(this.tree.at(kept), before, { encoding: 'latin1', mode });
    await writeFile(this.tree.at(path), text, { encoding: 'latin1', mode });
    this.made(path, kept);
  }

  private made(...paths: string[]): void {
    for (const path of paths) {
      this.touched.add(path);
      this.tree.note(path);
    }
  }

  private read(path: string): Promise<string | undefined> {
    return readFile(this.tree.at(path), 'latin1').catch((error: unknown) => {
      if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
  }
}

/**
 * Makes a restored folder that of a server of its own. Started on it, the server does not archive, follow, subscribe or listen
 * in its source's place, and needs nothing of the source's machine. Settings are overridden at the end of
 * postgresql.auto.conf, which is read last. Lines that can't be overridden are commented out. The original of every changed
 * file lies beside it, and the folder's manifest is kept right.
 */
import { rename, stat, writeFile } from 'node:fs/promises';
import { posix } from 'node:path';
import type { VaultManifest } from '@strongroom/contracts';
import { amendManifest } from './amend-manifest.js';
import { shown } from './byte-path.js';
import { joinedLines, settingLine, settingLines, withLinesOut } from './configuration-text.js';
import { readSmall } from './read-small.js';
import { standAloneInFiles } from './stand-alone-settings.js';
import { modes, type TargetTree } from './target-tree.js';

const keptAs = '.before-restore';
/** No server starts where the last of them lies, which versions before 12 have left. */
const signals = ['standby.signal', 'recovery.signal', 'recovery.conf'];
const main = 'postgresql.conf';
/** The file that `ALTER SYSTEM` writes. It is read after all others. */
const last = 'postgresql.auto.conf';
const access = 'pg_hba.conf';
const ident = 'pg_ident.conf';
const includes: ReadonlySet<string> = new Set(['include', 'include_if_exists', 'include_dir']);
/**
 * Settings that count before postgresql.auto.conf is read. A relative path is looked for where the server is started, which is
 * hardly ever its folder.
 */
const placesOfFiles: ReadonlyMap<string, string> = new Map([
  ['data_directory', '.'],
  ['hba_file', access],
  ['ident_file', ident],
]);
const accessInclude = /^[ \t]*"?(include|include_if_exists|include_dir)"?[ \t]+"?([^" \t\r\n#]+)/;
/** A file with a list of names, where names are expected. In quotes it is a name. */
const accessList = /(?:^|[ \t\r,])@"?([^" \t\r\n,#]+)/g;
const mark = 'taken out by the restore: it leads out of the folder';
const mostDepth = 10;
/** A pg_hba.conf may have a line for each of many thousand users. */
const mostOfFile = 16_777_216;

const minimal: Readonly<Record<string, string>> = {
  [main]: '# The backup holds no postgresql.conf: its server kept its settings elsewhere.\n',
  [access]:
    '# The backup holds no pg_hba.conf: its server kept it elsewhere. This lets in who is on this machine.\nlocal all all peer\nhost all all 127.0.0.1/32 md5\nhost all all ::1/128 md5\n',
  [ident]: '# The backup holds no pg_ident.conf: its server kept it elsewhere.\n',
};

/** @returns what was changed, as lines for people */
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
  /** The settings that the files leave in force. */
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
    this.said.push(`${name} is not in the backup: a minimal one was put there.`);
  }

  /** Comments out lines that lead out of the folder, in this file and in those that it includes. */
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
      // Includes are relative to their file, and other paths to the folder.
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

  /** @param setting that names the file, where it is not the usual one */
  async takeOutOfAccess(usual: string, setting: string): Promise<void> {
    await this.takeOutOfRules(this.settings.get(setting) ?? usual);
  }

  /** Looks through rules of access, through those that they include, and through the lists of names that they read. */
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

  /** The files that a line includes. */
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
      `${last}: ${lines.length} settings that could act for the source are overridden at its end. Subscriptions don't run before max_logical_replication_workers is set again: disable or drop them first.`,
      'What ALTER ROLE … SET and ALTER DATABASE … SET have set is in tables, and stays, including the libraries that they load: select * from pg_db_role_setting.',
    );
  }

  /** The path within the folder. Undefined when it leads out of the folder, or nothing is there. */
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

  private async read(path: string): Promise<string | undefined> {
    try {
      return (await readSmall(this.tree.at(path), { name: shown(path), mostBytes: mostOfFile })).toString('latin1');
    } catch (error) {
      if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

/** The files of a directory vault on a file system that lacks something: what it can't do fails with a code, or does too much. */
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { VaultFiles } from '@strongroom/vault';

export interface Lack {
  /** The code that an operation fails with. Default: none, it works. */
  sync?: string;
  syncFolder?: string;
  openFolder?: string;
  link?: string;
  /** A link or a new file replaces what has the name already. */
  linkReplaces?: boolean;
  createReplaces?: boolean;
}

export class LackingFiles extends VaultFiles {
  constructor(private readonly lack: Lack) {
    super();
  }

  override async link(path: string, name: string): Promise<void> {
    if (this.lack.linkReplaces) return copyFile(path, name);
    return super.link(path, name);
  }

  override async writeNew(path: string, bytes: Buffer): Promise<void> {
    if (this.lack.createReplaces) return writeFile(path, bytes);
    return super.writeNew(path, bytes);
  }

  protected override async step<T>(operation: string, path: string, perform: () => Promise<T>): Promise<T> {
    const code = await this.codeOf(operation, path);
    if (code === undefined) return perform();
    throw Object.assign(new Error(`${code}: made up`), { code });
  }

  private async codeOf(operation: string, path: string): Promise<string | undefined> {
    const { link, sync, syncFolder, openFolder } = this.lack;
    if (operation === 'link') return link;
    if (operation !== 'sync' && operation !== 'open') return undefined;
    if (!(await stat(path).catch(() => undefined))?.isDirectory()) return operation === 'sync' ? sync : undefined;
    return operation === 'sync' ? syncFolder : openFolder;
  }
}

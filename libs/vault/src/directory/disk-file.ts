/**
 * A file that is read past the page cache of this host, where its file system can do that, and as usual where it can't. A disk is read in whole
 * pages: what does not begin at a page is read as usual too.
 */
import { pageBytes, wholePages } from './disk-buffers.js';
import { cannotBypass, type OpenFile, type VaultFiles } from './vault-files.js';

/** What is read of a file, whichever way. */
export type ReadFile = Pick<OpenFile, 'read' | 'close'>;

export class DiskFile implements ReadFile {
  private constructor(
    private readonly files: VaultFiles,
    private readonly path: string,
    private pastCache: OpenFile | undefined,
    private usual: OpenFile | undefined,
  ) {}

  /** @throws what the file system says when the file is not there */
  static async open(files: VaultFiles, path: string): Promise<DiskFile> {
    const pastCache = await files.openOnDisk(path);
    return new DiskFile(files, path, pastCache, pastCache ? undefined : await files.open(path, 'r'));
  }

  /**
   * @param into memory of `DiskBuffers`, of which whole pages may be read into. Other memory is read into as usual
   * @returns the number of bytes read; 0 at the end
   */
  async read(into: Buffer, at: number): Promise<number> {
    if (this.pastCache && at % pageBytes === 0) {
      try {
        return Math.min(await this.pastCache.read(wholePages(into), at), into.length);
      } catch (error) {
        // Some file systems say so only when they are to read.
        if (!cannotBypass(error)) throw error;
        await this.pastCache.close();
        this.pastCache = undefined;
      }
    }
    this.usual ??= await this.files.open(this.path, 'r');
    return this.usual.read(into, at);
  }

  async close(): Promise<void> {
    await this.pastCache?.close();
    await this.usual?.close();
  }
}

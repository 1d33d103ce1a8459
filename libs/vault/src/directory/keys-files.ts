/**
 * The keys of a backup in a folder: files `keys.age.000001`, `keys.age.000002` and so on, of which the highest number counts. A new one
 * is linked to the number after the one that was found, so of two changes of the same keys only one is made.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type KeysOf, keysNames } from '@strongroom/contracts';
import { codeOf } from '../error-code.js';
import type { StoredKeys } from '../vault.js';
import { absentAs, type VaultRoot } from './vault-root.js';

const digits = 6;
const mostLooks = 20;

export class KeysFiles {
  constructor(
    private readonly root: VaultRoot,
    private readonly folder: string,
  ) {}

  /** Undefined when there are none. */
  async read(of: KeysOf): Promise<StoredKeys | undefined> {
    for (let look = 1; ; look += 1) {
      const [highest] = await this.numbers(of);
      if (highest === undefined) return undefined;
      try {
        return { bytes: await this.root.files.readFile(this.path(of, highest)), tag: String(highest) };
      } catch (error) {
        // They were replaced between the two looks.
        if (!['ENOENT', 'ESTALE'].includes(codeOf(error)) || look === mostLooks) throw error;
      }
    }
  }

  /** Makes the first ones, in a place in which nobody else writes. */
  async make(of: KeysOf, bytes: Buffer): Promise<void> {
    await this.root.files.writeNew(this.path(of, 1), bytes);
  }

  /** @returns false when there are others than those that had this tag */
  async replace(of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    const { files } = this.root;
    const before = await this.numbers(of);
    if (String(before[0]) !== tag) return false;
    const number = Number(tag) + 1;
    const written = join(this.folder, `${keysNames[of]}.${randomUUID()}`);
    try {
      await files.writeNew(written, bytes);
      let failure: unknown;
      await files.link(written, this.path(of, number)).catch((error: unknown) => {
        failure = error ?? new Error('unknown');
      });
      // A network file system may have made a link that it says has failed. One that was made too late does not count.
      const now = await this.read(of);
      if (now?.tag !== String(number) || !now.bytes.equals(bytes)) {
        if (failure !== undefined && now?.tag === tag) throw failure;
        return false;
      }
      await files.syncFolder(this.folder);
      for (const passed of before) await files.unlink(this.path(of, passed)).catch(() => {});
      return true;
    } finally {
      await files.unlink(written).catch(() => {});
    }
  }

  /** The highest first. */
  private async numbers(of: KeysOf): Promise<number[]> {
    const names = await absentAs<string[]>([], this.root.files.list(this.folder));
    const form = new RegExp(`^${keysNames[of].replace('.', '\\.')}\\.(\\d{${digits}})$`);
    return names
      .flatMap((name) => form.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((one, other) => other - one);
  }

  private path(of: KeysOf, number: number): string {
    return join(this.folder, `${keysNames[of]}.${String(number).padStart(digits, '0')}`);
  }
}

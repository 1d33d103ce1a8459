/**
 * The bytes of a copy: looked for where they are to be, and brought from wherever the backup is whole. Says what is
 * there; what becomes of the copy is its attempt's to record.
 */
import { type EventData, Fault, regionRetired, whyRetired } from '@strongroom/contracts';
import type { Hold } from '@strongroom/runtime';
import {
  type CopiedBackup,
  copyBackup,
  isSpoilt,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
} from '@strongroom/vault';
import type { OpenCopy } from './ancestor.js';
import type { CopySources, CopySourcesParts } from './copy-sources.js';

/** What is at the target now. */
export interface CopyMade extends Pick<CopiedBackup, 'location' | 'sizeBytes' | 'sha256'> {
  /** Where the bytes came from; undefined when they were there already. */
  sourceRegion: string | undefined;
}

/** Whatever region has the backup has no vault any more. */
export class SourcesRetired extends Fault<typeof regionRetired> {
  override readonly name = 'SourcesRetired';

  constructor(message: string) {
    super(regionRetired, false, message);
  }
}

export class CopyBytes {
  constructor(
    private readonly parts: Pick<CopySourcesParts, 'vaults' | 'stalls'>,
    private readonly request: OpenCopy['request'],
    private readonly hold: Hold,
  ) {}

  /**
   * Reads the copy back at its target.
   * @returns what is there, or what is wrong with it
   * @throws {VaultFault} when that can't be said now
   */
  async look(): Promise<SealedManifest | VaultFault> {
    const { vaults, stalls } = this.parts;
    const { backupId, region, sha256 } = this.request;
    try {
      const sealed = await stalls.over(region, this.hold.signal, (signal, moved) =>
        vaults.of(region).verify(backupId, moved, signal),
      );
      if (sealed.sha256 === sha256) return sealed;
      const message = `Backup ${backupId} in the vault of ${region} is not what was backed up: its SHA-256 differs.`;
      return new VaultFault('object-altered', region, message);
    } catch (error) {
      if (this.hold.signal.aborted || !(error instanceof VaultFault) || !isSpoilt(error)) throw error;
      return error;
    }
  }

  /**
   * Where the backup was made it may be whole for all that is known here: it is looked at before anything is brought, and
   * by an attempt that has begun in the vault. Else an earlier one could still seal in place of what was found there, and
   * who knows of no newer one than that remove it.
   * @param attempt as it is numbered in the target's vault
   * @throws {SourcesRetired | VaultFault}
   */
  async bring(sources: CopySources, backup: EventData<'BackupCompleted'>, attempt: number): Promise<CopyMade> {
    const { region } = this.request;
    const isWhereMade = region === backup.region;
    const regions = await sources.regions();
    if (isWhereMade || regions.length === 0) {
      await this.begin(attempt);
      const found = await this.look();
      if (!(found instanceof VaultFault)) {
        const { location, sha256 } = found;
        return { location, sizeBytes: storedBytes(found), sha256, sourceRegion: undefined };
      }
      if (regions.length === 0) {
        throw isWhereMade ? found : new SourcesRetired(whyRetired(backup.region));
      }
    }
    const { made, from } = await sources.useFirst(regions, (vault) => this.transfer(vault, attempt));
    return { ...made, sourceRegion: made.transferred ? from : undefined };
  }

  /** From here on no earlier attempt counts; what is sealed stays. */
  private async begin(attempt: number): Promise<void> {
    const { vaults, stalls } = this.parts;
    const { backupId, region } = this.request;
    await stalls.over(region, this.hold.signal, async () => {
      const upload = await vaults.of(region).begin(backupId, attempt);
      await upload.discard();
    });
  }

  private transfer(from: Vault, attempt: number): Promise<CopiedBackup> {
    const { vaults, stalls } = this.parts;
    const { backupId, region, sha256, sizeBytes } = this.request;
    let doneBytes = 0;
    return stalls.over(region, this.hold.signal, (signal, moved) =>
      copyBackup({
        from,
        to: vaults.of(region),
        backupId,
        attempt,
        expectedSha256: sha256,
        signal,
        moved,
        progress: (bytes) => {
          doneBytes += bytes;
          this.hold.progress(doneBytes, sizeBytes);
        },
      }),
    );
  }
}

/**
 * Finds the bytes of a copy at its target, or brings them from a region where the backup is whole. It tells what is there; the
 * attempt records what becomes of the copy.
 */
import { type EventData, Fault, regionRetired, whyRetired } from '@strongroom/contracts';
import type { Hold } from '@strongroom/runtime';
import {
  type CopiedBackup,
  copyBackup,
  endingWith,
  isSpoilt,
  type SealedManifest,
  storedBytes,
  type Vault,
  VaultFault,
} from '@strongroom/vault';
import type { OpenCopy } from './ancestor.js';
import type { CopySources, CopySourcesParts } from './copy-sources.js';

/** The copy that is at the target now. */
export interface CopyMade extends Pick<CopiedBackup, 'location' | 'sizeBytes' | 'sha256'> {
  /** The region that the bytes came from. Undefined when they were there already. */
  sourceRegion: string | undefined;
  verifiedBy: CopiedBackup['verifiedBy'];
  /** How long the bytes were on their way, with their reading back, in milliseconds. */
  transferMs: number;
}

/** No region that has the backup has a vault any more. */
export class SourcesRetired extends Fault<typeof regionRetired> {
  override readonly name = 'SourcesRetired';

  constructor(message: string) {
    super(regionRetired, false, message);
  }
}

export class CopyBytes {
  constructor(
    private readonly parts: Pick<CopySourcesParts, 'vaults' | 'permit'>,
    private readonly request: OpenCopy['request'],
    private readonly hold: Hold,
  ) {}

  /**
   * Reads the copy back at its target.
   * @returns what is there, or what is wrong with it
   * @throws {VaultFault} when the vault can't tell now
   */
  async readBack(): Promise<SealedManifest | VaultFault> {
    const { backupId, region, sha256 } = this.request;
    try {
      const sealed = await this.parts.vaults.of(region).verify(backupId, undefined, this.hold.signal);
      if (sealed.sha256 === sha256) return sealed;
      const message = `Backup ${backupId} in the vault of ${region} is not what was backed up: its SHA-256 differs.`;
      return new VaultFault('object-altered', region, message);
    } catch (error) {
      if (this.hold.signal.aborted || !(error instanceof VaultFault) || !isSpoilt(error)) throw error;
      return error;
    }
  }

  /**
   * The region where the backup was made may still hold it whole. So its vault is read before anything is brought
   * there, and by an attempt that has begun in that vault. Otherwise an earlier attempt could still seal another place
   * than the one that was found. Or a process that knows of no newer attempt could remove what was found.
   * @param attempt the number of the attempt in the target's vault
   * @throws {SourcesRetired | VaultFault}
   */
  async bring(sources: CopySources, backup: EventData<'BackupCompleted'>, attempt: number): Promise<CopyMade> {
    const { region } = this.request;
    const isWhereMade = region === backup.region;
    const regions = await sources.regions();
    if (isWhereMade || regions.length === 0) {
      await this.begin(attempt);
      const found = await this.readBack();
      if (!(found instanceof VaultFault)) {
        const { location, sha256 } = found;
        return {
          location,
          sizeBytes: storedBytes(found),
          sha256,
          sourceRegion: undefined,
          verifiedBy: 'read',
          transferMs: 0,
        };
      }
      if (regions.length === 0) {
        throw isWhereMade ? found : new SourcesRetired(whyRetired(backup.region));
      }
    }
    let transferMs = 0;
    const { made, from } = await sources.useFirst(regions, async (vault) => {
      const begun = performance.now();
      const copied = await this.transfer(vault, attempt);
      transferMs = performance.now() - begun;
      return copied;
    });
    return { ...made, sourceRegion: made.transferred ? from : undefined, transferMs };
  }

  /** Begins the attempt in the vault: no earlier attempt counts from then on, and what is sealed stays. */
  private async begin(attempt: number): Promise<void> {
    const { backupId, region, sha256 } = this.request;
    const upload = await endingWith(this.parts.vaults.of(region), this.hold.signal).begin(backupId, attempt, {
      copyOf: sha256,
    });
    await upload.discard();
  }

  private transfer(from: Vault, attempt: number): Promise<CopiedBackup> {
    const { backupId, region, sha256, sizeBytes } = this.request;
    let doneBytes = 0;
    let broughtBytes = 0;
    return copyBackup({
      from,
      to: this.parts.vaults.of(region),
      backupId,
      attempt,
      expectedSha256: sha256,
      signal: this.hold.signal,
      progress: (bytes, isBrought) => {
        doneBytes += bytes;
        if (isBrought) broughtBytes += bytes;
        this.hold.progress(doneBytes, sizeBytes, broughtBytes);
      },
      moves: (bytes) => this.parts.permit?.moves(bytes),
    });
  }
}

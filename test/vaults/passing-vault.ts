/** A vault that passes everything on to a real one. A test extends it and changes single operations. */
import type { Readable } from 'node:stream';
import type { KeysOf } from '@strongroom/contracts';
import {
  type BeginOptions,
  type BucketLock,
  type ByteRange,
  type HeldBackup,
  type ListedBackup,
  type Progress,
  type Removed,
  type SealedManifest,
  type StoredKeys,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  type VaultUpload,
} from '@strongroom/vault';

export class PassingVault extends Vault {
  readonly region: string;

  constructor(protected readonly vault: Vault) {
    super();
    this.region = vault.region;
  }

  begin(backupId: string, attempt: number, options?: BeginOptions): Promise<VaultUpload> {
    return this.vault.begin(backupId, attempt, options);
  }
  manifest(backupId: string): Promise<SealedManifest | undefined> {
    return this.vault.manifest(backupId);
  }
  glance(backupId: string): Promise<SealedManifest | undefined> {
    return this.vault.glance(backupId);
  }
  locationOf(backupId: string): Promise<string | undefined> {
    return this.vault.locationOf(backupId);
  }
  read(backupId: string, objectName: string, range?: ByteRange): Readable {
    return this.vault.read(backupId, objectName, range);
  }
  keys(backupId: string, of: KeysOf): Promise<StoredKeys | undefined> {
    return this.vault.keys(backupId, of);
  }
  replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    return this.vault.replaceKeys(backupId, of, bytes, tag);
  }
  verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest> {
    return this.vault.verify(backupId, progress, signal);
  }
  list(signal?: AbortSignal): AsyncIterable<ListedBackup> {
    return this.vault.list(signal);
  }
  purge(backupId: string, attempt: number): Promise<Removed> {
    return this.vault.purge(backupId, attempt);
  }
  held(shard: number, signal?: AbortSignal): AsyncIterable<HeldBackup> {
    return this.vault.held(shard, signal);
  }
  tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed> {
    return this.vault.tidy(backupId, kept, before);
  }
  forget(backupId: string, attempt: number, before: Date): Promise<boolean> {
    return this.vault.forget(backupId, attempt, before);
  }
  identify(memory?: VaultMemory): Promise<VaultIdentity | undefined> {
    return this.vault.identify(memory);
  }
  probe(): Promise<void> {
    return this.vault.probe();
  }
  override keepUntil(backupId: string, until: Date): Promise<boolean> {
    return this.vault.keepUntil(backupId, until);
  }
  override get keeps(): boolean {
    return this.vault.keeps;
  }
  override bucketLock(): Promise<BucketLock | undefined> {
    return this.vault.bucketLock();
  }
  override keptUntil(backupId: string): Promise<Date | undefined> {
    return this.vault.keptUntil(backupId);
  }
  override roomBytes(): Promise<number | undefined> {
    return this.vault.roomBytes();
  }
}

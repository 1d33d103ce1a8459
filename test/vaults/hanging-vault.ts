/** A real vault in which the named verbs never come back, until it is released. Nothing can cancel them. */
import { Readable } from 'node:stream';
import {
  type HeldBackup,
  type ListedBackup,
  type Removed,
  type SealedManifest,
  type Vault,
  type VaultIdentity,
  type VaultMemory,
  VaultUpload,
} from '@strongroom/vault';
import { PassingVault } from './passing-vault.js';

export const verbs = [
  ...['begin', 'manifest', 'glance', 'locationOf', 'read', 'verify', 'list', 'purge', 'held', 'tidy', 'forget'],
  ...['identify', 'probe', 'put', 'seal', 'discard'],
] as const;
export type Verb = (typeof verbs)[number];

export class HangingVault extends PassingVault {
  /** How many calls hang. */
  hanging = 0;
  private release: () => void = () => {};
  private readonly released = new Promise<void>((resolve) => {
    this.release = resolve;
  });
  private isReleased = false;

  /** @param hangs what never comes back: these verbs, of any backup or of the one */
  constructor(
    vault: Vault,
    private readonly hangs: readonly Verb[],
    private readonly ofBackup?: string,
  ) {
    super(vault);
  }

  comeBack(): void {
    this.isReleased = true;
    this.release();
  }

  async pass<T>(verb: Verb, backupId: string | undefined, perform: () => Promise<T>): Promise<T> {
    const isMeant = this.ofBackup === undefined || this.ofBackup === backupId;
    if (this.hangs.includes(verb) && isMeant && !this.isReleased) {
      this.hanging += 1;
      await this.released;
      this.hanging -= 1;
    }
    return perform();
  }

  override async begin(...begin: Parameters<Vault['begin']>): Promise<VaultUpload> {
    const [backupId] = begin;
    const upload = await this.pass('begin', backupId, () => super.begin(...begin));
    return new HangingUpload(upload, this, backupId);
  }
  override manifest(backupId: string): Promise<SealedManifest | undefined> {
    return this.pass('manifest', backupId, () => super.manifest(backupId));
  }
  override glance(backupId: string): Promise<SealedManifest | undefined> {
    return this.pass('glance', backupId, () => super.glance(backupId));
  }
  override locationOf(backupId: string): Promise<string | undefined> {
    return this.pass('locationOf', backupId, () => super.locationOf(backupId));
  }
  override read(...read: Parameters<Vault['read']>): Readable {
    return Readable.from(this.late('read', read[0], () => super.read(...read)));
  }
  override verify(...[backupId, ...how]: Parameters<Vault['verify']>): Promise<SealedManifest> {
    return this.pass('verify', backupId, () => super.verify(backupId, ...how));
  }
  override list(signal?: AbortSignal): AsyncIterable<ListedBackup> {
    return this.late('list', undefined, () => super.list(signal));
  }
  override purge(backupId: string, attempt: number): Promise<Removed> {
    return this.pass('purge', backupId, () => super.purge(backupId, attempt));
  }
  override held(shard: number, signal?: AbortSignal): AsyncIterable<HeldBackup> {
    return this.late('held', undefined, () => super.held(shard, signal));
  }
  override tidy(...[backupId, ...how]: Parameters<Vault['tidy']>): Promise<Removed> {
    return this.pass('tidy', backupId, () => super.tidy(backupId, ...how));
  }
  override forget(...[backupId, ...how]: Parameters<Vault['forget']>): Promise<boolean> {
    return this.pass('forget', backupId, () => super.forget(backupId, ...how));
  }
  override identify(memory?: VaultMemory): Promise<VaultIdentity | undefined> {
    return this.pass('identify', undefined, () => super.identify(memory));
  }
  override probe(): Promise<void> {
    return this.pass('probe', undefined, () => super.probe());
  }

  private async *late<T>(verb: Verb, backupId: string | undefined, items: () => AsyncIterable<T>): AsyncGenerator<T> {
    await this.pass(verb, backupId, async () => {});
    yield* items();
  }
}

class HangingUpload extends VaultUpload {
  constructor(
    private readonly upload: VaultUpload,
    private readonly vault: HangingVault,
    private readonly backupId: string,
  ) {
    super();
  }

  put(...put: Parameters<VaultUpload['put']>): ReturnType<VaultUpload['put']> {
    return this.vault.pass('put', this.backupId, () => this.upload.put(...put));
  }
  putKeys(...keys: Parameters<VaultUpload['putKeys']>): Promise<void> {
    return this.vault.pass('put', this.backupId, () => this.upload.putKeys(...keys));
  }
  override bring(...bring: Parameters<VaultUpload['bring']>): Promise<void> {
    return this.vault.pass('put', this.backupId, () => this.upload.bring(...bring));
  }
  seal(...seal: Parameters<VaultUpload['seal']>): Promise<SealedManifest> {
    return this.vault.pass('seal', this.backupId, () => this.upload.seal(...seal));
  }
  discard(): Promise<void> {
    return this.vault.pass('discard', this.backupId, () => this.upload.discard());
  }
}

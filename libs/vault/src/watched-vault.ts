/**
 * A vault, every call of which ends: with its outcome, with a fault when nothing has moved in the vault for too long, or with a
 * signal. What only the caller is slow at does not count: the source of a `put`, or the reader of a `read`. Its disk keeps some space.
 */
import { Readable } from 'node:stream';
import type { KeysOf } from '@strongroom/contracts';
import type { BucketLock } from './bucket-lock.js';
import { type Passage, pairOf, type Traffic } from './flow/traffic.js';
import { FreeSpace } from './free-space.js';
import {
  type BeginOptions,
  type ByteRange,
  type CopySource,
  type HeldBackup,
  type InsideStore,
  type ListedBackup,
  type Progress,
  type Removed,
  type SealedManifest,
  type StoredKeys,
  Vault,
  type VaultIdentity,
  type VaultMemory,
  VaultUpload,
} from './vault.js';
import { type Doing, type Operation, VaultWatch, type WatchOptions } from './vault-watch.js';

/** How long reading the identity of a vault may take, or its room. */
const identifyMs = 10_000;
/** How long an attempt may take to remove what it has written. The next attempt removes what is left. */
const discardMs = 30_000;

/** The vault as it is watched. A vault that is watched already stays as it is. */
export function watched(vault: Vault, options: WatchOptions = {}): WatchedVault {
  return vault instanceof WatchedVault ? vault : new WatchedVault(vault, new VaultWatch(vault, options));
}

/** The same vault, every call of which ends when the signal is aborted. */
export function endingWith(vault: Vault, signal: AbortSignal): Vault {
  return watched(vault).endingWith(signal);
}

/** What counts and limits the bytes of a copy from one vault to another, beside what is theirs. */
export function trafficBetween(from: Vault, to: Vault, { by, signal }: Omit<Passage, 'scopes'>) {
  const traffic = from instanceof WatchedVault ? from.traffic : undefined;
  const passage: Passage = { scopes: [pairOf(from.region, to.region)], by, signal };
  return (bytes: number): Promise<unknown> | undefined => {
    traffic?.copied(from.region, to.region, bytes);
    return traffic?.pass(bytes, passage);
  };
}

export class WatchedVault extends Vault {
  readonly region: string;
  private readonly space: FreeSpace;

  constructor(
    private readonly vault: Vault,
    private readonly watch: VaultWatch,
    private readonly ends?: AbortSignal,
  ) {
    super();
    this.region = vault.region;
    this.space = new FreeSpace(this, watch.reserveBytes);
  }

  get traffic(): Traffic | undefined {
    return this.watch.traffic;
  }

  endingWith(signal: AbortSignal): WatchedVault {
    return new WatchedVault(this.vault, this.watch, signal);
  }

  async begin(backupId: string, attempt: number, options: BeginOptions = {}): Promise<VaultUpload> {
    const signal = options.signal ?? this.ends;
    const upload = await this.over(`begin attempt ${attempt} at backup ${backupId}`, backupId, (vault) =>
      vault.begin(backupId, attempt, { ...options, signal }),
    );
    return new WatchedUpload(upload, this.watch, { backupId, space: this.space, ends: this.ends });
  }

  manifest(backupId: string): Promise<SealedManifest | undefined> {
    return this.over(`read the manifest of backup ${backupId}`, backupId, (vault) => vault.manifest(backupId));
  }

  glance(backupId: string): Promise<SealedManifest | undefined> {
    return this.over(`look at backup ${backupId}`, backupId, (vault) => vault.glance(backupId));
  }

  locationOf(backupId: string): Promise<string | undefined> {
    return this.over(`look for backup ${backupId}`, backupId, (vault) => vault.locationOf(backupId));
  }

  read(backupId: string, objectName: string, range?: ByteRange): Readable {
    const doing = this.doing(`read ${objectName} of backup ${backupId}`, backupId);
    const chunks = this.each(doing, (ends) => this.vault.under(ends).read(backupId, objectName, range));
    return Readable.from(chunks, { objectMode: false });
  }

  override readLent(backupId: string, objectName: string, range?: ByteRange): AsyncIterable<Buffer> {
    const doing = this.doing(`read ${objectName} of backup ${backupId}`, backupId);
    return this.each(doing, (ends) => this.vault.under(ends).readLent(backupId, objectName, range));
  }

  keys(backupId: string, of: KeysOf): Promise<StoredKeys | undefined> {
    return this.over(`read the keys of backup ${backupId}`, backupId, (vault) => vault.keys(backupId, of));
  }

  replaceKeys(backupId: string, of: KeysOf, bytes: Buffer, tag: string): Promise<boolean> {
    return this.over(`replace the keys of backup ${backupId}`, backupId, (vault) =>
      vault.replaceKeys(backupId, of, bytes, tag),
    );
  }

  verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest> {
    return this.watch.over(this.doing(`read back backup ${backupId}`, backupId, signal), (operation) =>
      this.vault.under(operation.signal).verify(backupId, telling(operation, progress), operation.signal),
    );
  }

  list(signal?: AbortSignal): AsyncIterable<ListedBackup> {
    return this.each(this.doing('list its backups', undefined, signal), (ends) => this.vault.under(ends).list(ends));
  }

  purge(backupId: string, attempt: number): Promise<Removed> {
    return this.over(`remove backup ${backupId}`, backupId, (vault) => vault.purge(backupId, attempt));
  }

  held(shard: number, signal?: AbortSignal): AsyncIterable<HeldBackup> {
    return this.each(this.doing(`be looked through, part ${shard}`, undefined, signal), (ends) =>
      this.vault.under(ends).held(shard, ends),
    );
  }

  tidy(backupId: string, kept: { attempt: number; location: string }, before: Date): Promise<Removed> {
    return this.over(`tidy up beside backup ${backupId}`, backupId, (vault) => vault.tidy(backupId, kept, before));
  }

  forget(backupId: string, attempt: number, before: Date): Promise<boolean> {
    return this.over(`forget backup ${backupId}`, backupId, (vault) => vault.forget(backupId, attempt, before));
  }

  identify(memory?: VaultMemory): Promise<VaultIdentity | undefined> {
    const doing = { ...this.doing('say who it is'), limitMs: identifyMs };
    return this.watch.over(doing, ({ signal }) => this.vault.under(signal).identify(memory));
  }

  override inside(backupId: string): Promise<InsideStore | undefined> {
    return this.over(`look for backup ${backupId}`, backupId, (vault) => vault.inside(backupId));
  }

  probe(): Promise<void> {
    return this.watch.probe();
  }

  override keepUntil(backupId: string, until: Date): Promise<boolean> {
    return this.over(`keep backup ${backupId}`, backupId, (vault) => vault.keepUntil(backupId, until));
  }

  override get keeps(): boolean {
    return this.vault.keeps;
  }

  override keptUntil(backupId: string): Promise<Date | undefined> {
    return this.over(`tell until when it keeps backup ${backupId}`, backupId, (vault) => vault.keptUntil(backupId));
  }

  override bucketLock(): Promise<BucketLock | undefined> {
    const doing = { ...this.doing('tell its lock'), limitMs: identifyMs };
    return this.watch.over(doing, ({ signal }) => this.vault.under(signal).bucketLock());
  }

  override roomBytes(): Promise<number | undefined> {
    const doing = { ...this.doing('tell its room'), limitMs: identifyMs };
    return this.watch.over(doing, ({ signal }) => this.vault.under(signal).roomBytes());
  }

  override mustHold(bytes: number): Promise<void> {
    return this.space.mustHold(bytes);
  }

  private over<T>(what: string, backupId: string, run: (vault: Vault) => Promise<T>): Promise<T> {
    return this.watch.over(this.doing(what, backupId), ({ signal }) => run(this.vault.under(signal)));
  }

  private doing(what: string, backupId?: string, signal?: AbortSignal): Doing {
    return { what, ...(backupId !== undefined && { backupId }), signals: [this.ends, signal] };
  }

  /** Passes on what the vault gives, item by item. While the reader has an item, the vault is not waited for. */
  private async *each<T>(doing: Doing, open: (ends: AbortSignal) => AsyncIterable<T>): AsyncGenerator<T> {
    const operation = await this.watch.begin(doing);
    let items: AsyncIterator<T> | undefined;
    try {
      items = open(operation.signal)[Symbol.asyncIterator]();
      for (;;) {
        operation.resume();
        const next = await operation.until(items.next());
        if (Buffer.isBuffer(next.value)) {
          operation.moved(next.value.length);
          await operation.passes(next.value.length, 'read');
        }
        operation.pause();
        if (next.done) return;
        operation.signal.throwIfAborted();
        yield next.value;
      }
    } finally {
      operation.resume();
      const closed = Promise.resolve(items?.return?.());
      // It waits for the item that hangs.
      if (operation.isGivenUp) closed.catch(() => {});
      else await operation.until(closed).catch(() => {});
      operation.end();
    }
  }
}

interface UploadOf {
  backupId: string;
  space: FreeSpace;
  ends: AbortSignal | undefined;
}

class WatchedUpload extends VaultUpload {
  private readonly backupId: string;

  constructor(
    private readonly upload: VaultUpload,
    private readonly watch: VaultWatch,
    private readonly of: UploadOf,
  ) {
    super();
    this.backupId = of.backupId;
  }

  async put(...[name, source, cipher, readBack]: Parameters<VaultUpload['put']>): ReturnType<VaultUpload['put']> {
    const operation = await this.watch.begin(this.doing(`write ${name} of backup ${this.backupId}`));
    const chunks = passing(this.of.space.leftBy(source), operation);
    try {
      return await operation.until(this.upload.put(name, chunks, cipher, telling(operation, readBack)));
    } finally {
      // A vault that hangs with a chunk in hand never asks for another.
      if (operation.isGivenUp) void chunks.return().catch(() => {});
      operation.end();
    }
  }

  override async bring(source: CopySource): Promise<void> {
    const operation = await this.watch.begin(this.doing(`write ${source.object.name} of backup ${this.backupId}`));
    const reads: ReturnType<typeof passing>[] = [];
    const read = (range: ByteRange) => {
      const chunks = passing(this.of.space.leftBy(source.read(range)), operation);
      reads.push(chunks);
      return chunks;
    };
    const skipped = (bytes: number) => {
      operation.moved(bytes);
      source.skipped(bytes);
    };
    try {
      await operation.until(
        this.upload.bring({ ...source, read, skipped, readBack: telling(operation, source.readBack) }),
      );
    } finally {
      if (operation.isGivenUp) for (const chunks of reads) void chunks.return().catch(() => {});
      operation.end();
    }
  }

  putKeys(of: KeysOf, bytes: Buffer): Promise<void> {
    return this.watch.over(this.doing(`write the keys of backup ${this.backupId}`), () =>
      this.upload.putKeys(of, bytes),
    );
  }

  seal(...[manifestBytes, reading = {}]: Parameters<VaultUpload['seal']>): Promise<SealedManifest> {
    const doing = this.doing(`seal backup ${this.backupId}`, reading.signal);
    return this.watch.over(doing, (operation) =>
      this.upload.seal(manifestBytes, {
        progress: telling(operation, reading.progress),
        signal: operation.signal,
      }),
    );
  }

  /** An attempt that was told to end removes what it has written all the same. */
  async discard(): Promise<void> {
    const { backupId } = this;
    const what = `remove what an attempt at backup ${backupId} has written`;
    const removing = { what, backupId, limitMs: discardMs, signals: [] };
    // The next attempt, or the sweep, removes what is left.
    await this.watch.over(removing, () => this.upload.discard()).catch(() => {});
  }

  private doing(what: string, signal?: AbortSignal): Doing {
    return { what, backupId: this.backupId, signals: [this.of.ends, signal] };
  }
}

/** While the source has its turn, the vault is not waited for. */
async function* passing(source: AsyncIterable<Buffer>, operation: Operation): AsyncGenerator<Buffer, void, undefined> {
  try {
    operation.pause();
    for await (const chunk of source) {
      await operation.passes(chunk.length, 'written');
      operation.resume();
      yield chunk;
      operation.moved(chunk.length);
      operation.signal.throwIfAborted();
      operation.pause();
    }
  } finally {
    operation.resume();
  }
}

/** While the reader is slowed down, the vault is not waited for. */
function telling(operation: Operation, progress?: Progress): Progress {
  return async (bytes) => {
    operation.moved(bytes);
    const slowed = progress?.(bytes);
    if (slowed) await operation.heldBy(slowed);
    await operation.passes(bytes, 'read');
  };
}

/**
 * A store of objects in a folder, in which one call can be held up before or after it is done, or can seem to fail; and which counts
 * the bytes that it was sent. After `die` nothing that was begun in it goes on.
 */
import {
  DirectoryStore,
  type ObjectFacts,
  ObjectStore,
  ObjectVault,
  type PutOptions,
  type Vault,
  VaultFault,
  VaultRoot,
} from '@strongroom/vault';
import type { Trouble } from './gated-files.js';

export class GatedStore extends ObjectStore {
  /** The calls that were begun, in order. */
  readonly begun: string[] = [];
  /** Of the objects that were put, whether or not the answer came. */
  sentBytes = 0;
  /** Resolves when the call of the trouble is reached. */
  readonly reached: Promise<void>;
  private reach: () => void = () => {};
  private hasDied = false;
  private death = { afterBytes: Number.POSITIVE_INFINITY, isDone: false };

  constructor(
    private readonly region: string,
    private readonly store: ObjectStore,
    private readonly trouble?: Trouble,
  ) {
    super();
    this.reached = new Promise((resolve) => {
      this.reach = resolve;
    });
  }

  get mostObjectBytes(): number {
    return this.store.mostObjectBytes;
  }

  /** The process is killed while it puts what goes beyond so many bytes. That may be carried out, and nobody hears of it. */
  dieAfter(afterBytes: number, isDone: boolean): void {
    this.death = { afterBytes, isDone };
  }

  locationOf(key: string): string {
    return this.store.locationOf(key);
  }
  get(...get: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    return this.step(`get ${get[0]}`, () => this.store.get(...get));
  }
  head(...head: Parameters<ObjectStore['head']>): Promise<ObjectFacts | undefined> {
    return this.step(`head ${head[0]}`, () => this.store.head(...head));
  }
  put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.step(`put ${key}`, async () => {
      this.sentBytes += bytes.length;
      const isKilled = this.sentBytes > this.death.afterBytes;
      if (isKilled) this.hasDied = true;
      const put = !isKilled || this.death.isDone ? await this.store.put(key, bytes, options, signal) : undefined;
      if (isKilled) throw this.fault('the process was killed');
      return put;
    });
  }
  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ObjectFacts> {
    await this.step(`list ${prefix}`, async () => {});
    yield* this.store.list(prefix, signal);
  }
  delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    return this.step(`delete ${keys.length}`, () => this.store.delete(keys, signal));
  }

  private async step<T>(call: string, perform: () => Promise<T>): Promise<T> {
    if (this.hasDied) throw this.fault('the process was killed');
    const number = this.begun.push(call) - 1;
    const { trouble } = this;
    if (!trouble || number !== trouble.at) return perform();
    if (trouble.when === 'before') await this.meet(trouble);
    try {
      return await perform();
    } finally {
      if (trouble.when === 'after') await this.meet(trouble);
    }
  }

  private async meet({ fails, until }: Trouble): Promise<void> {
    this.reach();
    await until;
    if (fails) throw this.fault(`${fails}: made up`);
  }

  private fault(why: string): VaultFault {
    return new VaultFault('vault-unavailable', this.region, `The vault of ${this.region} could not be used: ${why}.`);
  }
}

export interface GatedObjectVault {
  vault: Vault;
  store: GatedStore;
}

/** The store in a folder as one process sees it. Its pieces are small. */
export function gatedObjectVault(
  region: string,
  path: string,
  trouble?: Trouble,
  pieceBytes = 65_536,
): GatedObjectVault {
  const store = new GatedStore(region, new DirectoryStore(new VaultRoot(region, path)), trouble);
  return { vault: new ObjectVault(region, store, pieceBytes), store };
}

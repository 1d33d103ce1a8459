/** A store of objects as a simulated process sees it: each call waits for its turn, and may fail before or after it is done. */
import { type ObjectFacts, ObjectStore, type PutOptions, VaultFault } from '@strongroom/vault';

/** Somebody whose operations are done one at a time, when it is their turn. */
interface InTurns {
  inTurn<T>(perform: () => Promise<T>): Promise<T>;
}

export class StoreInTurns extends ObjectStore {
  constructor(
    private readonly region: string,
    private readonly store: ObjectStore,
    private readonly process: InTurns,
  ) {
    super();
  }

  get mostObjectBytes(): number {
    return this.store.mostObjectBytes;
  }

  locationOf(key: string): string {
    return this.store.locationOf(key);
  }
  get(...get: Parameters<ObjectStore['get']>): ReturnType<ObjectStore['get']> {
    return this.step(async () => {
      const got = await this.store.get(...get);
      if (!got) return undefined;
      const read: Buffer[] = [];
      for await (const bytes of got.body) read.push(Buffer.from(bytes));
      return { facts: got.facts, body: each(read) };
    });
  }
  head(...head: Parameters<ObjectStore['head']>): Promise<ObjectFacts | undefined> {
    return this.step(() => this.store.head(...head));
  }
  put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.step(() => this.store.put(key, bytes, options, signal));
  }
  /** A list is true of the moment at which it was made, and whoever made it may sleep after that. */
  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<ObjectFacts> {
    yield* await this.step(async () => {
      const listed: ObjectFacts[] = [];
      for await (const facts of this.store.list(prefix, signal)) listed.push(facts);
      return listed;
    });
  }
  /** A process may be frozen or killed between any two of them. */
  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (const key of keys) await this.step(() => this.store.delete([key], signal));
  }

  private async step<T>(perform: () => Promise<T>): Promise<T> {
    try {
      return await this.process.inTurn(perform);
    } catch (cause) {
      if (cause instanceof VaultFault) throw cause;
      throw new VaultFault('vault-unavailable', this.region, `The store of ${this.region} failed: ${cause}`, { cause });
    }
  }
}

async function* each(read: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* read;
}

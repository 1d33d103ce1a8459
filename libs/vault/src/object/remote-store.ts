/**
 * A store of objects behind a network. What every such store needs is here: requests are made again where that may help, an answer
 * that was lost does no harm, a success is looked at before it is believed, and a body that breaks goes on. A kind of store adds what
 * it says on the wire.
 */
import type { Readable } from 'node:stream';
import type { ByteRange } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { type ObjectFacts, ObjectStore, type PutOptions, WriteRefused } from './object-store.js';
import { type Asking, type Patience, patiently, usualPatience } from './patience.js';
import { storeFault, type ToldStore } from './store-fault.js';
import { StorePace } from './store-pace.js';
import { HollowAnswer } from './store-refusal.js';
import { wholeBody } from './whole-body.js';

/** Our own word for the SHA-256, beside an object. A store that keeps no such digest keeps it. */
export const digestName = 'strongroom-sha256';

/** What a store tells of an object, and what we have noted beside it. */
export interface Seen {
  facts: ObjectFacts;
  noted: string | undefined;
  /** When it was told, by the store's clock; undefined where the answer does not say. */
  at: Date | undefined;
}

/** An answer with the bytes of an object, or with a part of them. */
export interface Opened {
  facts: ObjectFacts;
  body: Readable;
  /** How many bytes the body has. */
  bytes: number;
}

/** What is asked for; with a tag, only the object that has it. */
export interface Wanted {
  key: string;
  range?: ByteRange | undefined;
  tag?: string;
}

/** One answer to a list. */
export interface ListPage {
  objects: readonly ObjectFacts[];
  /** Where the next page begins; undefined on the last one. */
  next: string | undefined;
}

/** What a store did not remove, with its reason. */
export interface Kept {
  key: string;
  until: Date | undefined;
  error: unknown;
}

/** What a kind of store says on the wire. Each call is one attempt, and throws what the kind's SDK throws. */
export interface Wire {
  told: ToldStore;
  /** @returns undefined when the bucket is there, and the object is not */
  open(wanted: Wanted, signal: AbortSignal): Promise<Opened | undefined>;
  look(key: string, signal: AbortSignal): Promise<Seen | undefined>;
  /** @returns the tag of what was put, or undefined when the condition did not hold */
  send(put: { key: string; bytes: Buffer; options: PutOptions }, signal: AbortSignal): Promise<string | undefined>;
  page(prefix: string, from: string | undefined, signal: AbortSignal): Promise<ListPage>;
  /** @param ask makes a request, again where that may help. @returns what the store keeps */
  remove(
    keys: readonly string[],
    ask: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Kept[]>;
  keep(key: string, until: Date, signal: AbortSignal): Promise<void>;
  /** Whether this is the store's word for a credential that may not write. */
  refusesAccess(error: unknown): boolean;
}

/** How a store is asked. */
export interface StoreOptions extends Partial<Patience> {
  /** That of all requests of the process to the store. Default: one of its own. */
  pace?: StorePace;
}

/** @typeParam W what its kind says on the wire, where it says more than every kind does */
export abstract class RemoteStore<W extends Wire = Wire> extends ObjectStore {
  protected readonly patience: Patience;
  private readonly pace: StorePace;
  private connecting: Promise<W> | undefined;

  constructor(
    protected readonly region: string,
    { pace = new StorePace(), ...patience }: StoreOptions = {},
  ) {
    super();
    this.pace = pace;
    this.patience = { ...usualPatience, ...patience };
  }

  /** Loads the kind's SDK. */
  protected abstract connect(): Promise<W>;
  protected abstract readonly told: ToldStore;
  /** With a lock, the store is asked to keep objects from everybody. */
  protected abstract readonly address: { lock?: string | undefined };

  get(
    key: string,
    signal: AbortSignal,
    range?: ByteRange,
  ): Promise<{ facts: ObjectFacts; body: AsyncIterable<Buffer> } | undefined> {
    const what = `read ${key}`;
    return this.doing(what, signal, async (wire) => {
      const asking = this.asking(signal);
      const found = await patiently(asking, () => wire.open({ key, range }, signal));
      if (!found) return undefined;
      const { facts, body: first, bytes } = found;
      const again = async (rest: ByteRange) => {
        const opened = await patiently(asking, () => wire.open({ key, range: rest, tag: facts.tag }, signal));
        if (!opened) throw new Error('the object went away while it was read');
        return opened.body;
      };
      const body = wholeBody({ first, from: range?.from ?? 0, bytes, again, asking });
      return { facts, body: this.withFaults(body, what, signal) };
    });
  }

  head(key: string, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    return this.doing(`look at ${key}`, signal, async (wire) => {
      const seen = await this.ask(signal, () => wire.look(key, signal));
      return seen?.facts;
    });
  }

  put(key: string, bytes: Buffer, options: PutOptions, signal: AbortSignal): Promise<ObjectFacts | undefined> {
    const what = `put ${key}`;
    return this.doing(what, signal, (wire) =>
      this.ask(signal, async () => {
        const tag = await this.sent(wire, { key, bytes, options }, signal);
        const there = await wire.look(key, signal);
        if (tag === undefined) return there && isOf(there, options.sha256, bytes) ? there.facts : undefined;
        if (!there) throw new HollowAnswer('the object is not there');
        const { facts } = there;
        // Somebody has put another one since, for which ours had to be there.
        if (facts.tag !== tag) return { key, bytes: bytes.length, tag, putAt: facts.putAt, sha256: options.sha256 };
        if (!isOf(there, options.sha256, bytes)) throw new HollowAnswer('the object is another one');
        return facts;
      }),
    );
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectFacts> {
    const what = `list ${prefix}`;
    let last = '';
    let from: string | undefined;
    do {
      const page = await this.doing(what, signal, (wire) => this.ask(signal, () => wire.page(prefix, from, signal)));
      for (const facts of page.objects) {
        if (facts.key <= last) throw this.fault(new Error('its list is not in the order of keys'), what);
        last = facts.key;
        yield facts;
        signal.throwIfAborted();
      }
      from = page.next;
    } while (from !== undefined);
  }

  delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const what = `remove ${keys.length === 1 ? keys[0] : `${keys.length} objects`}`;
    return this.doing(what, signal, async (wire) => {
      const ask = <T>(request: () => Promise<T>) => this.ask(signal, request);
      const kept = keys.length === 0 ? [] : await wire.remove(keys, ask, signal);
      const first = kept.find(({ until }) => until !== undefined) ?? kept[0];
      if (!first) return;
      if (first.until === undefined) throw first.error;
      const { region, told } = this;
      const message = `The vault of ${region}, ${told.name}, keeps ${first.key} until ${first.until.toISOString()} from everybody. Remove it after that.`;
      throw new VaultFault('object-locked', region, message);
    });
  }

  override get keeps(): boolean {
    return this.address.lock !== undefined;
  }

  override keepUntil(key: string, until: Date, signal: AbortSignal): Promise<boolean> {
    return this.doing(`lock ${key}`, signal, async (wire) => {
      if (!this.keeps) return false;
      return this.ask(signal, async () => {
        const seen = await wire.look(key, signal);
        if (!seen) return false;
        if (seen.facts.lockedUntil && seen.facts.lockedUntil >= until) return true;
        if (hasPassed(until, seen.at)) return true;
        await wire.keep(key, until, signal);
        return true;
      });
    });
  }

  private async sent(
    wire: Wire,
    put: { key: string; bytes: Buffer; options: PutOptions },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      return await wire.send(put, signal);
    } catch (error) {
      if (!wire.refusesAccess(error)) throw error;
      const { message, cause } = this.fault(error, `put ${put.key}`);
      throw new WriteRefused('vault-unavailable', this.region, message, { cause });
    }
  }

  protected async doing<T>(what: string, signal: AbortSignal, run: (wire: W) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      return await run(await this.connected());
    } catch (error) {
      signal.throwIfAborted();
      throw this.fault(error, what);
    }
  }

  private connected(): Promise<W> {
    this.connecting ??= this.connect().catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    return this.connecting;
  }

  private async *withFaults(body: AsyncIterable<Buffer>, what: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      signal.throwIfAborted();
      throw this.fault(error, what);
    }
  }

  protected ask<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    return patiently(this.asking(signal), request);
  }

  private asking(signal: AbortSignal): Asking {
    return { patience: this.patience, signal, refusalIn: this.told.refusalIn, pace: this.pace };
  }

  private fault(error: unknown, what: string): VaultFault {
    return storeFault(error, this.told, what);
  }
}

function isOf({ facts, noted }: Seen, sha256: string, bytes: Buffer): boolean {
  return facts.bytes === bytes.length && (facts.sha256 ?? noted) === sha256;
}

/** @param now the time of the answer by the store's clock: only the store can say whether a lock is over. Undefined counts every lock */
export function lockIn(until: Date | undefined, now: Date | undefined): { lockedUntil?: Date } {
  return until !== undefined && (now === undefined || until > now) ? { lockedUntil: until } : {};
}

/** A store refuses a lock until a time that has passed. It tells its own time in whole seconds. */
function hasPassed(until: Date, now: Date | undefined): boolean {
  return now !== undefined && until.getTime() < now.getTime() + 1_000;
}

/** The size of an object in the `Content-Range` of an answer with a part of it. An answer with another part is none. */
export function totalIn(range: string | undefined, from: number): number {
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined || Number(first) !== from)
    throw new HollowAnswer('the answer has another part of the object');
  return Number(total);
}

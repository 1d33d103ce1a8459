/**
 * Simulated processes, of which one at a time does one operation. The next one is drawn at random from a seed, so a history
 * can be repeated. A process that is not drawn for long is frozen, and one that is never drawn again has died.
 */

import { DirectoryStore, DirectoryVault, ObjectVault, type Vault, VaultFiles, VaultRoot } from '@strongroom/vault';
import { isOpenFile } from './gated-files.js';
import type { KindOfVault } from './late-attempts.js';
import { StoreInTurns } from './store-in-turns.js';

/** An object of a history has some pieces. */
const smallPieceBytes = 400;

/** The store of objects in a folder, as whoever looks from outside sees it. */
export function storeIn(region: string, path: string): DirectoryStore {
  return new DirectoryStore(new VaultRoot(region, path));
}

/** The vault in a folder, as whoever looks from outside sees it. */
export function vaultIn(region: string, path: string, kind: KindOfVault): Vault {
  return kind === 'objects'
    ? new ObjectVault(region, storeIn(region, path), smallPieceBytes)
    : new DirectoryVault(region, path);
}

/** Random numbers from 0 to below 1 that depend on a seed alone (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Whether an operation fails when its turn has come. */
type Turn = { fails?: { code: string; when: 'before' | 'after' } };

export class Process {
  hasEnded = false;
  /** Whether the process gets no turn any more. */
  hasDied = false;
  /** The operations that wait. There are more than one when the process reads ahead of what it writes. */
  private readonly waiting: ((turn: Turn) => void)[] = [];
  /** The files that the process has open. Its host closes them when it has died. */
  readonly open: { close: () => Promise<void> }[] = [];
  private quiet: (() => void) | undefined;

  constructor(
    readonly name: string,
    run: (self: Process) => Promise<void>,
  ) {
    void run(this).finally(() => {
      this.hasEnded = true;
      this.quiet?.();
    });
  }

  /** The vault in a folder as this process sees it. Every operation waits for its turn: one of files, or a call of the store. */
  vault(region: string, path: string, kind: KindOfVault): Vault {
    if (kind === 'objects')
      return new ObjectVault(region, new StoreInTurns(region, storeIn(region, path), this), smallPieceBytes);
    return new DirectoryVault(region, path, new VaultRoot(region, path, new FilesInTurns(this)));
  }

  /** Performs when its turn has come, and never fails: a runner waits until its ledger is back. */
  async surely<T>(perform: () => T): Promise<T> {
    await this.myTurn();
    return perform();
  }

  /** Performs when its turn has come. */
  async inTurn<T>(perform: () => Promise<T> | T): Promise<T> {
    const { fails } = await this.myTurn();
    if (fails?.when === 'before') throw madeUp(fails.code);
    const done = await settledOf(perform);
    if (fails) {
      // Nobody else closes a file that was opened though the operation seems to have failed.
      if ('value' in done && isOpenFile(done.value)) await done.value.close();
      throw madeUp(fails.code);
    }
    if ('error' in done) throw done.error;
    return done.value;
  }

  /** Lets the process do one operation, and waits until it is at the next one or has ended. */
  async turn(turn: Turn = {}): Promise<void> {
    await this.settled();
    this.waiting.shift()?.(turn);
    await this.settled();
  }

  private myTurn(): Promise<Turn> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.quiet?.();
    });
  }

  private async settled(): Promise<void> {
    while (!this.hasEnded && this.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.quiet = resolve;
      });
    }
  }
}

class FilesInTurns extends VaultFiles {
  constructor(private readonly process: Process) {
    super();
  }

  override async open(path: string, flags: 'r' | 'wx'): ReturnType<VaultFiles['open']> {
    const file = await super.open(path, flags);
    this.process.open.push(file);
    return file;
  }

  protected override step<T>(operation: string, _path: string, perform: () => Promise<T>): Promise<T> {
    // A sync does nothing, because no power is cut here.
    return this.process.inTurn(operation === 'sync' ? () => undefined as T : perform);
  }
}

async function settledOf<T>(perform: () => Promise<T> | T): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await perform() };
  } catch (error) {
    return { error };
  }
}

function madeUp(code: string): Error {
  return Object.assign(new Error(`${code}: made up`), { code });
}

/**
 * Processes that take turns: one of them does one operation at a time. The next one is drawn from a seed, so the same seed
 * gives the same history. A process that is not drawn for long is frozen; one that is drawn no more has died.
 */

import { DirectoryVault, type Vault, VaultFiles, VaultRoot } from '@strongroom/vault';
import { isOpenFile } from './gated-files.js';

/** Numbers from 0 to below 1, made from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What happens to an operation when its turn has come. */
type Turn = { fails?: { code: string; when: 'before' | 'after' } };

export class Process {
  hasEnded = false;
  /** It is drawn no more. */
  hasDied = false;
  /** There is more than one when it reads ahead of its writing. */
  private readonly waiting: ((turn: Turn) => void)[] = [];
  /** The files that it has opened. Its host closes them when it has died. */
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

  /** The vault in a folder, for this process. Every operation waits for its turn. */
  vault(region: string, path: string): Vault {
    return new DirectoryVault(region, path, new VaultRoot(region, path, new FilesInTurns(this)));
  }

  /** Does the work when its turn has come, even when others would fail then: a runner waits for its ledger. */
  async surely<T>(perform: () => T): Promise<T> {
    await this.myTurn();
    return perform();
  }

  /** Does the work when its turn has come. */
  async inTurn<T>(perform: () => Promise<T> | T): Promise<T> {
    const { fails } = await this.myTurn();
    if (fails?.when === 'before') throw madeUp(fails.code);
    const done = await settledOf(perform);
    if (fails) {
      // The file is open although a failure was reported, and nobody else closes it.
      if ('value' in done && isOpenFile(done.value)) await done.value.close();
      throw madeUp(fails.code);
    }
    if ('error' in done) throw done.error;
    return done.value;
  }

  /** Lets the process do one operation, and waits until it reaches the next one or has ended. */
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
    // No power is cut in these histories, so nothing needs a flush.
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

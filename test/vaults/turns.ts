/**
 * Processes of which one at a time does one operation: who is next is drawn, so that a history can be had again by its
 * seed. One that is not drawn for long is frozen; one that is drawn no more has died.
 */

import { DirectoryVault, type Vault, VaultFiles, VaultRoot } from '@strongroom/vault';
import { isOpenFile } from './gated-files.js';

/** Numbers from 0 to below 1 that follow from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What becomes of an operation when its turn has come. */
type Turn = { fails?: { code: string; when: 'before' | 'after' } };

export class Process {
  hasEnded = false;
  /** Draws no turn any more. */
  hasDied = false;
  /** More than one where it reads ahead of what it writes. */
  private readonly waiting: ((turn: Turn) => void)[] = [];
  /** The files that it has opened, which its host closes when it has died. */
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

  /** The vault in a folder as this process sees it: every operation waits for its turn. */
  vault(region: string, path: string): Vault {
    return new DirectoryVault(region, path, new VaultRoot(region, path, new FilesInTurns(this)));
  }

  /** Does it when its turn has come, be it that others fail then: a runner waits for its ledger. */
  async surely<T>(perform: () => T): Promise<T> {
    await this.myTurn();
    return perform();
  }

  /** Does it when its turn has come. */
  async inTurn<T>(perform: () => Promise<T> | T): Promise<T> {
    const { fails } = await this.myTurn();
    if (fails?.when === 'before') throw madeUp(fails.code);
    const done = await settledOf(perform);
    if (fails) {
      // Nobody else will close a file that was opened though it is said that it was not.
      if ('value' in done && isOpenFile(done.value)) await done.value.close();
      throw madeUp(fails.code);
    }
    if ('error' in done) throw done.error;
    return done.value;
  }

  /** Lets it do one operation, and waits until it is at the next one or has ended. */
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
    // Nobody cuts the power here.
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

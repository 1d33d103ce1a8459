/**
 * The identity of a vault: `vault.json`, made once and never changed. It tells a vault from a store that is not there, from
 * another one in its place and from another region's, before anything is written.
 */
import { randomUUID } from 'node:crypto';
import { instant, regionName, uuid } from '@strongroom/contracts';
import { z } from 'zod';
import { parseShallow } from './shallow-json.js';
import type { VaultIdentity, VaultMemory } from './vault.js';
import { VaultFault } from './vault-fault.js';
import { whyUnparsed } from './why-unparsed.js';

export const markerName = 'vault.json';

/** How a vault lies in a folder that a folder's own driver must not read. A folder's own layout has no name. */
export const layoutOfObjects = 'objects';

const marker = z.object({
  vaultId: uuid,
  region: regionName,
  createdAt: instant,
  layout: z.literal(layoutOfObjects).optional(),
});
type Marker = z.infer<typeof marker>;

/** @throws when it is none */
export function readMarker(bytes: Buffer): Marker {
  return marker.parse(parseShallow(bytes));
}

/** Remembers nothing. */
const nothing: VaultMemory = { vaultIdOf: async () => undefined, remember: async () => [] };

/** For stores whose calls nothing ends. */
const never = new AbortController().signal;

/** The store of a vault, as its identity needs it. */
export interface MarkedStore {
  region: string;
  /** Where the vault is, for its operator. */
  where: string;
  /** How a vault must lie there: as folders, as objects, or as nothing but objects can. */
  layout: 'folders' | typeof layoutOfObjects | 'any';
  /** What the operator does when two regions have one vault, and when another vault is there, as whole sentences. */
  advice: { whenShared: string; whenAway: string };
  /** Runs operations of the store and makes a fault of their error. */
  doing<T>(what: string, operations: () => Promise<T>): Promise<T>;
  read(signal: AbortSignal): Promise<Buffer | undefined>;
  /** Makes the marker, unless there is one. @returns false when this process may only read there */
  make(bytes: Buffer, signal: AbortSignal): Promise<boolean>;
  /**
   * Finds out by trying what the store is good for.
   * @param isMarked whether it was tried before it got its marker
   * @throws {VaultFault} `vault-misconfigured`, when it is not fit for a vault
   */
  tried(isMarked: boolean, signal: AbortSignal): Promise<Pick<VaultIdentity, 'device' | 'weaknesses' | 'isReadOnly'>>;
}

export class VaultMarker {
  private memory: VaultMemory | undefined;
  private known: VaultIdentity | undefined;

  constructor(private readonly store: MarkedStore) {}

  async identify(memory: VaultMemory = nothing, signal = never): Promise<VaultIdentity | undefined> {
    this.memory = memory;
    return this.establish(memory, signal);
  }

  /** Checks that this is the vault that was identified. It checks nothing when the vault was never identified. */
  async check(signal = never): Promise<void> {
    if (this.memory) await this.establish(this.memory, signal);
  }

  /**
   * A region that has had a vault before is away while something else is there. Whoever writes to one disk could otherwise keep every
   * service from starting.
   */
  private establish(memory: VaultMemory, signal: AbortSignal): Promise<VaultIdentity | undefined> {
    return this.store.doing('say who it is', async () => {
      const expected = this.known?.vaultId ?? (await memory.vaultIdOf(this.store.region));
      try {
        return await this.found(memory, expected, signal);
      } catch (error) {
        if (expected === undefined || !(error instanceof VaultFault) || error.code !== 'vault-misconfigured')
          throw error;
        const { region, message, told } = error;
        throw new VaultFault('vault-unavailable', region, message, { cause: error, told });
      }
    });
  }

  private async found(
    memory: VaultMemory,
    expected: string | undefined,
    signal: AbortSignal,
  ): Promise<VaultIdentity | undefined> {
    const { region } = this.store;
    const found = await this.read(signal);
    if (found && found.region !== region) throw this.ofAnother(found.region);
    if (found && !this.isReadHere(found)) throw this.laidOutOtherwise(found);
    if (expected !== undefined && found?.vaultId !== expected) throw this.notTheSame(expected, found);
    if (this.known) return this.known;
    const tried = await this.store.tried(found !== undefined, signal);
    const marked = found ?? (memory.givesNone ? undefined : await this.make(signal));
    if (!marked) return undefined;
    if (marked.region !== region) throw this.ofAnother(marked.region);
    const identity = { ...marked, ...tried };
    for (const { region: other, vaultId } of await memory.remember(identity)) {
      if (other !== region) throw this.asWellOf(other, vaultId);
      if (vaultId !== identity.vaultId) throw this.notTheSame(vaultId, marked);
    }
    this.known = identity;
    return identity;
  }

  private async read(signal: AbortSignal): Promise<Marker | undefined> {
    const bytes = await this.store.read(signal);
    if (!bytes) return undefined;
    try {
      return readMarker(bytes);
    } catch (error) {
      const why = whyUnparsed(error);
      throw this.misconfigured(`has a ${markerName} in ${this.store.where} that can't be used: ${why}`);
    }
  }

  private async make(signal: AbortSignal): Promise<Marker | undefined> {
    const made: Marker = {
      vaultId: randomUUID(),
      region: this.store.region,
      createdAt: new Date().toISOString(),
      ...(this.store.layout === layoutOfObjects && { layout: layoutOfObjects }),
    };
    const isMade = await this.store.make(Buffer.from(`${JSON.stringify(made, null, 2)}\n`), signal);
    return isMade ? this.read(signal) : undefined;
  }

  private isReadHere(found: Marker): boolean {
    const { layout } = this.store;
    return layout === 'any' || layout === (found.layout ?? 'folders');
  }

  private laidOutOtherwise({ layout }: Marker): VaultFault {
    const { region, where } = this.store;
    return this.misconfigured(
      layout === layoutOfObjects
        ? `lies in ${where} as objects. Write objects:// in place of file:// in STRONGROOM_VAULTS`
        : `lies in ${where} as folders. Write file:// in place of objects:// in STRONGROOM_VAULTS, or move it: strongroom vault upgrade ${region}`,
    );
  }

  private ofAnother(other: string): VaultFault {
    const { where, advice } = this.store;
    return this.misconfigured(
      `is the vault of ${other} (${markerName} in ${where} says so). ${advice.whenShared} can't be two regions`,
    );
  }

  private asWellOf(other: string, vaultId: string): VaultFault {
    return this.misconfigured(
      `and that of ${other} are one and the same, or a copy of it (${vaultId} in ${markerName} of ${this.store.where}). Give each region a vault of its own in STRONGROOM_VAULTS`,
    );
  }

  private notTheSame(expected: string, found: Marker | undefined): VaultFault {
    const { region, where, advice } = this.store;
    const what = found
      ? `another vault (${found.vaultId}, of ${found.region}) is in its place`
      : `${markerName} is not there any more`;
    return new VaultFault(
      'vault-unavailable',
      region,
      `The vault of ${region} (${where}) is not the one that was there, ${expected}: ${what}. ${advice.whenAway} If the vault is lost for good and this is to be a new one: delete from known_vault where region = '${region}', in the ledger's database, and start the services anew.`,
      { told: `The vault of ${region} is not the one that was there.` },
    );
  }

  private misconfigured(why: string): VaultFault {
    return new VaultFault('vault-misconfigured', this.store.region, `The vault of ${this.store.region} ${why}.`, {
      told: `The vault of ${this.store.region} is not set up as it should be.`,
    });
  }
}

/**
 * The identity of a directory vault: `ROOT/vault.json`, made once and never changed. It tells a vault from a disk that is not
 * mounted, from another disk in its place and from another region's folder, before anything is written.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { instant, regionName, uuid } from '@strongroom/contracts';
import { z } from 'zod';
import { codeOf } from '../error-code.js';
import { parseShallow } from '../shallow-json.js';
import type { VaultIdentity, VaultMemory } from '../vault.js';
import { VaultFault } from '../vault-fault.js';
import { whyUnparsed } from '../why-unparsed.js';
import { tryFileSystem } from './file-system-trial.js';
import { absentAs, isFull, type VaultRoot } from './vault-root.js';

export const markerName = 'vault.json';

const marker = z.object({ vaultId: uuid, region: regionName, createdAt: instant });
type Marker = z.infer<typeof marker>;
const readOnly = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Remembers nothing. */
const nothing: VaultMemory = { vaultIdOf: async () => undefined, remember: async () => [] };

export class VaultMarker {
  private memory: VaultMemory | undefined;
  private known: VaultIdentity | undefined;

  constructor(private readonly root: VaultRoot) {}

  async identify(memory: VaultMemory = nothing): Promise<VaultIdentity | undefined> {
    this.memory = memory;
    return this.establish(memory);
  }

  /** Checks that this is the vault that was identified. It checks nothing when the vault was never identified. */
  async check(): Promise<void> {
    if (this.memory) await this.establish(this.memory);
  }

  /**
   * A region that has had a vault before is away while something else is there. Whoever writes to one disk could otherwise keep every
   * service from starting.
   */
  private establish(memory: VaultMemory): Promise<VaultIdentity | undefined> {
    return this.root.doing('say who it is', async () => {
      const expected = this.known?.vaultId ?? (await memory.vaultIdOf(this.root.region));
      try {
        return await this.found(memory, expected);
      } catch (error) {
        if (expected === undefined || !(error instanceof VaultFault) || error.code !== 'vault-misconfigured')
          throw error;
        const { region, message, told } = error;
        throw new VaultFault('vault-unavailable', region, message, { cause: error, told });
      }
    });
  }

  private async found(memory: VaultMemory, expected: string | undefined): Promise<VaultIdentity | undefined> {
    const { region, path, files } = this.root;
    const found = await this.read();
    if (found && found.region !== region) throw this.ofAnother(found.region);
    if (expected !== undefined && found?.vaultId !== expected) throw this.notTheSame(expected, found);
    if (this.known) return this.known;
    const weaknesses = await this.weaknesses(found);
    const marked = found ?? (await this.make());
    if (!marked) return undefined;
    if (marked.region !== region) throw this.ofAnother(marked.region);
    const identity = { ...marked, device: (await files.stat(path)).dev, weaknesses };
    for (const { region: other, vaultId } of await memory.remember(identity)) {
      if (other !== region) throw this.asWellOf(other, vaultId);
      if (vaultId !== identity.vaultId) throw this.notTheSame(vaultId, marked);
    }
    this.known = identity;
    return identity;
  }

  /** A vault that is full must still be read and emptied. Its file system was tried before it got its marker. */
  private async weaknesses(found: Marker | undefined): Promise<string[]> {
    try {
      return await tryFileSystem(this.root);
    } catch (error) {
      if (found && isFull(error)) return [];
      throw error;
    }
  }

  private async read(): Promise<Marker | undefined> {
    const bytes = await absentAs<Buffer | undefined>(
      undefined,
      this.root.files.readFile(join(this.root.path, markerName)),
    );
    if (!bytes) return undefined;
    try {
      return marker.parse(parseShallow(bytes));
    } catch (error) {
      const why = whyUnparsed(error);
      throw this.misconfigured(`has a ${markerName} in ${this.root.path} that can't be used: ${why}`);
    }
  }

  private async make(): Promise<Marker | undefined> {
    const { files, path, region } = this.root;
    const made: Marker = { vaultId: randomUUID(), region, createdAt: new Date().toISOString() };
    const written = join(path, `.${markerName}.${made.vaultId}`);
    try {
      await files.writeNew(written, Buffer.from(`${JSON.stringify(made, null, 2)}\n`));
      await files.link(written, join(path, markerName));
      await files.syncFolder(path);
    } catch (error) {
      // A process that may only read gives the vault no identity; what else is wrong shows when it reads.
      if (readOnly.has(codeOf(error))) return undefined;
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await files.unlink(written).catch(() => {});
    }
    return this.read();
  }

  private ofAnother(other: string): VaultFault {
    return this.misconfigured(
      `is the vault of ${other} (${markerName} in ${this.root.path} says so). Give each region a folder of its own in STRONGROOM_VAULTS: the same folder, a symbolic link, a bind mount or one NFS export can't be two regions`,
    );
  }

  private asWellOf(other: string, vaultId: string): VaultFault {
    return this.misconfigured(
      `and that of ${other} are one and the same, or a copy of its folder (${vaultId} in ${markerName} of ${this.root.path}). Give each region a vault of its own in STRONGROOM_VAULTS`,
    );
  }

  private notTheSame(expected: string, found: Marker | undefined): VaultFault {
    const { region, path } = this.root;
    const what = found
      ? `another vault (${found.vaultId}, of ${found.region}) is in its place`
      : `${markerName} is not there any more`;
    return new VaultFault(
      'vault-unavailable',
      region,
      `The vault of ${region} (${path}) is not the one that was there, ${expected}: ${what}. See that its disk is mounted, and no other. If the vault is lost for good and this is to be a new one: delete from known_vault where region = '${region}', in the ledger's database, and start the services anew.`,
      { told: `The vault of ${region} is not the one that was there.` },
    );
  }

  private misconfigured(why: string): VaultFault {
    return new VaultFault('vault-misconfigured', this.root.region, `The vault of ${this.root.region} ${why}.`, {
      told: `The vault of ${this.root.region} is not set up as it should be.`,
    });
  }
}

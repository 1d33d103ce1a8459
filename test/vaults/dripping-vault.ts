/** A real vault that is never silent for long: it gives and takes one byte at a time, with a pause before each. */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ObjectCipher } from '@strongroom/encryption';
import {
  type ByteRange,
  type CopySource,
  type Progress,
  type SealedManifest,
  type Vault,
  VaultUpload,
} from '@strongroom/vault';
import { PassingVault } from './passing-vault.js';

export class DrippingVault extends PassingVault {
  constructor(
    vault: Vault,
    private readonly everyMs: number,
  ) {
    super(vault);
  }

  override async begin(...begin: Parameters<Vault['begin']>): Promise<VaultUpload> {
    return new DrippingUpload(await super.begin(...begin), this.everyMs);
  }

  override read(...read: Parameters<Vault['read']>): Readable {
    return Readable.from(dripping(super.read(...read), this.everyMs), { objectMode: false });
  }

  override async verify(backupId: string, progress?: Progress, signal?: AbortSignal): Promise<SealedManifest> {
    await drip(this.everyMs, progress, signal);
    return super.verify(backupId, progress, signal);
  }
}

class DrippingUpload extends VaultUpload {
  constructor(
    private readonly upload: VaultUpload,
    private readonly everyMs: number,
  ) {
    super();
  }

  put(name: string, source: AsyncIterable<Buffer>, cipher?: ObjectCipher): ReturnType<VaultUpload['put']> {
    return this.upload.put(name, takenSlowly(source, this.everyMs), cipher);
  }
  putKeys(...keys: Parameters<VaultUpload['putKeys']>): Promise<void> {
    return this.upload.putKeys(...keys);
  }
  override bring(source: CopySource): Promise<void> {
    const read = (range: ByteRange) => takenSlowly(source.read(range), this.everyMs);
    return this.upload.bring({ ...source, read });
  }
  async seal(...[bytes, reading = {}]: Parameters<VaultUpload['seal']>): Promise<SealedManifest> {
    await drip(this.everyMs, reading.progress, reading.signal);
    return this.upload.seal(bytes, reading);
  }
  discard(): Promise<void> {
    return this.upload.discard();
  }
}

async function* dripping(source: AsyncIterable<Buffer>, everyMs: number): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    for (const byte of chunk) {
      await delay(everyMs);
      yield Buffer.from([byte]);
    }
  }
}

/** It takes a chunk when it has the one before, and is slow at each. */
async function* takenSlowly(source: AsyncIterable<Buffer>, everyMs: number): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    yield chunk;
    await delay(everyMs);
  }
}

/** Tells of a byte now and then, until it is told to end. */
async function drip(everyMs: number, progress?: Progress, signal?: AbortSignal): Promise<void> {
  while (progress && !signal?.aborted) {
    await delay(everyMs);
    await progress(1);
  }
  signal?.throwIfAborted();
}

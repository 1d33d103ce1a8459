/**
 * The state of a backup in a store of objects, which says what counts: one small object, changed by compare-and-set alone. Each
 * change has a number and an id. The number is in the name of the place that the change opens, so no two places ever have one name.
 */
import { randomUUID } from 'node:crypto';
import { manifestObjectName, sha256Hex, uuid } from '@strongroom/contracts';
import { z } from 'zod';
import { parseShallow } from '../shallow-json.js';
import { VaultFault } from '../vault-fault.js';
import { whyUnparsed } from '../why-unparsed.js';
import { folderOf, placeNumbers, usualPieceBytes } from './object-layout.js';
import type { ObjectStore } from './object-store.js';
import { digestOf, smallObject } from './small-objects.js';

const place = z.string().regex(/^\d+\.\d+$/);
const attempt = z.int().min(0);
const pieceBytes = z.int().min(1);

const openPlace = z.strictObject({
  place,
  /** The id of the attempt that may seal the place. Attempts of one number differ by it. */
  begun: uuid,
  /** The SHA-256 of the backup, when the place is that of a copy. Another attempt at the same copy goes on with the place. */
  copyOf: sha256Hex.optional(),
  /** Into what pieces an object is cut that is proven as a whole. */
  pieceBytes,
});
export type OpenPlace = z.infer<typeof openPlace>;

const sealedPlace = z.strictObject({
  attempt,
  place,
  pieceBytes,
  /** Not known when the state was damaged and what it had told was guessed. */
  manifestSha256: sha256Hex.optional(),
});
export type SealedPlace = z.infer<typeof sealedPlace>;

const objectState = z.strictObject({
  format: z.literal('strongroom-state/2'),
  /** The id of this change. A process that did not learn the outcome recognises it by this id. */
  change: uuid,
  /** The number of this change. */
  seq: z.int().min(0),
  /** The number of the newest attempt that has begun. */
  attempt,
  /** The only place that may be sealed. */
  open: openPlace.optional(),
  sealed: sealedPlace.optional(),
  /** The backup was removed: neither this attempt nor an earlier one may put anything here again. */
  gone: z.literal(true).optional(),
});
export type ObjectState = z.infer<typeof objectState>;

export interface FoundState {
  state: ObjectState;
  /** What the store calls this version; undefined when there is none. */
  tag: string | undefined;
  changedAt: Date;
}

export type NextState = Pick<ObjectState, 'attempt' | 'open' | 'sealed' | 'gone'>;

/** After an error it is not known whether the change was made, or will still be made. */
export type Changed = { outcome: 'changed' | 'conflict'; now: FoundState };

/** So many changes may have been made before a state was damaged, that are no longer known. */
const unknownChanges = 1_000_000;

export class ObjectStates {
  constructor(
    private readonly region: string,
    private readonly store: ObjectStore,
  ) {}

  keyOf(backupId: string): string {
    return `${folderOf(backupId, this.region)}/state`;
  }

  /** @throws {VaultFault} `manifest-invalid`, when the state can't be used */
  async read(backupId: string, signal: AbortSignal): Promise<FoundState> {
    return this.find(backupId, signal, (bytes) => this.parsed(bytes, backupId));
  }

  /**
   * As `read`, for a caller who puts another state in its place. When the state can't be used, this tells what may count: a
   * place with a manifest counts as sealed, because its user compares every byte.
   */
  async readToReplace(backupId: string, signal: AbortSignal): Promise<FoundState> {
    return this.find(backupId, signal, async (bytes) => {
      try {
        return this.parsed(bytes, backupId);
      } catch (error) {
        if (!(error instanceof VaultFault)) throw error;
        return this.guessed(backupId, signal);
      }
    });
  }

  /**
   * Changes the state if it is still what was found.
   * @param doubtful called when an error from now on does not tell whether the change was made
   */
  async change(
    backupId: string,
    from: FoundState,
    next: NextState,
    { signal, doubtful }: { signal: AbortSignal; doubtful?: () => void },
  ): Promise<Changed> {
    const change = randomUUID();
    const state = objectState.parse({ format: 'strongroom-state/2', change, seq: from.state.seq + 1, ...next });
    const bytes = Buffer.from(`${JSON.stringify(state, null, 2)}\n`);
    const condition = from.tag === undefined ? 'absent' : { tag: from.tag };
    doubtful?.();
    let failure: unknown;
    try {
      const put = { sha256: digestOf(bytes), if: condition } as const;
      const facts = await this.store.put(this.keyOf(backupId), bytes, put, signal);
      if (facts) return { outcome: 'changed', now: { state, tag: facts.tag, changedAt: facts.putAt } };
    } catch (error) {
      failure = error ?? new Error('unknown');
    }
    // A store may have made a change that it says has failed, or refuse the second try of a change that it has made.
    const now = await this.read(backupId, signal);
    if (now.state.change === change) return { outcome: 'changed', now };
    if (failure && now.tag === from.tag) throw failure;
    return { outcome: 'conflict', now };
  }

  private async find(
    backupId: string,
    signal: AbortSignal,
    parse: (bytes: Buffer) => ObjectState | Promise<ObjectState>,
  ): Promise<FoundState> {
    const found = await smallObject(this.store, this.keyOf(backupId), signal);
    if (!found) {
      const state = { format: 'strongroom-state/2' as const, change: backupId, seq: 0, attempt: 0 };
      return { state, tag: undefined, changedAt: new Date(0) };
    }
    return { state: await parse(found.bytes), tag: found.facts.tag, changedAt: found.facts.putAt };
  }

  private async guessed(backupId: string, signal: AbortSignal): Promise<ObjectState> {
    const prefix = `${folderOf(backupId, this.region)}/`;
    const places = new Map<string, { attempt: number; seq: number; hasManifest: boolean }>();
    for await (const { key } of this.store.list(prefix, signal)) {
      const [name = '', inside] = key.slice(prefix.length).split('/');
      const numbers = placeNumbers(name);
      if (!numbers || inside === undefined) continue;
      const hasManifest = (places.get(name)?.hasManifest ?? false) || inside === manifestObjectName;
      places.set(name, { ...numbers, hasManifest });
    }
    const newest = [...places].sort(([, one], [, other]) => other.seq - one.seq);
    const sealed = newest.find(([, { hasManifest }]) => hasManifest);
    return {
      format: 'strongroom-state/2',
      change: backupId,
      seq: (newest[0]?.[1].seq ?? 0) + unknownChanges,
      attempt: Math.max(0, ...newest.map(([, each]) => each.attempt)),
      ...(sealed && { sealed: { place: sealed[0], attempt: sealed[1].attempt, pieceBytes: usualPieceBytes } }),
    };
  }

  private parsed(bytes: Buffer, backupId: string): ObjectState {
    try {
      return objectState.parse(parseShallow(bytes));
    } catch (cause) {
      const { region } = this;
      const why = whyUnparsed(cause);
      const where = this.store.locationOf(this.keyOf(backupId));
      const message = `The state of backup ${backupId} in the vault of ${region} (${where}) can't be used: ${why}`;
      throw new VaultFault('manifest-invalid', region, message, { cause });
    }
  }
}

/**
 * Whether a place does not count and never will. Before a process removes a place, it must have seen a state that is later than
 * the change that opened the place. Under that state the place is neither sealed nor open. This is safe because only an open
 * place can be sealed, and every place that is opened is new. A place that another attempt goes on with was open all the time.
 */
export function isDead({ state }: FoundState, name: string): boolean {
  const opened = placeNumbers(name)?.seq ?? Number.POSITIVE_INFINITY;
  return opened <= state.seq && name !== state.open?.place && name !== state.sealed?.place;
}

/**
 * One attempt at putting a backup into a store of objects. What it puts is never changed, and what it wrote is read back before it
 * can be sealed. Sealing is one change of the backup's state. An attempt at a copy goes on with what earlier ones have brought.
 */
import { type KeysOf, keysNames, manifestObjectName, type VaultSegment } from '@strongroom/contracts';
import type { ObjectCipher } from '@strongroom/encryption';
import type { AttemptsApart } from '../attempts-apart.js';
import { checkedObjectName, parseManifest } from '../manifest.js';
import { SegmentCheck } from '../segment-check.js';
import { type CopySource, type Progress, type SealedManifest, type StoredObject, VaultUpload } from '../vault.js';
import { isSpoilt, VaultFault } from '../vault-fault.js';
import { type Cut, cutAtChunks, cutInto } from './cut.js';
import { InFlight } from './in-flight.js';
import { mostBytesOfSegment, type Piece, pieceName, piecesOf, rowsOf } from './object-layout.js';
import type { ObjectPlaces } from './object-places.js';
import { ObjectReader, type Reading } from './object-reader.js';
import { type FoundState, isDead, type NextState, type ObjectStates, type OpenPlace } from './object-state.js';
import type { ObjectFacts, ObjectStore } from './object-store.js';
import type { PutPiece } from './read-back.js';
import { lookEach, type Sending, sending } from './sending.js';
import { digestOf } from './small-objects.js';

export interface UploadParts {
  region: string;
  store: ObjectStore;
  states: ObjectStates;
  places: ObjectPlaces;
  apart: AttemptsApart;
  /** The size of the first segments. */
  segmentBytes: number;
  /** @throws {VaultFault} when what is there is not the vault that was there */
  checkVault(): Promise<void>;
  changeState(backupId: string, next: (found: FoundState) => NextState): Promise<FoundState>;
}

export interface UploadOf {
  backupId: string;
  attempt: number;
  open: OpenPlace;
  /** Whether an earlier attempt at the copy has opened the place. */
  isGoingOn: boolean;
  /** Where the backup's places lie. */
  folder: string;
  signal: AbortSignal | undefined;
}

/** So many pieces the store copies at a time. */
const copiedAtATime = 4;
/** So many pieces are looked at, at a time, when a copy goes on. */
const lookedAtATime = 16;
const never = new AbortController().signal;

export class ObjectUpload extends VaultUpload {
  private readonly signal: AbortSignal;
  private readonly reader: ObjectReader;
  private readonly ending = new AbortController();
  private readonly location: string;
  private isSealed = false;
  /** Whether the store has copied pieces by itself. Then it is asked for their checksums, instead of all being read. */
  private isCopiedInside = false;
  /** Whether the place may be sealed though this attempt does not know it. */
  private mayBeSealed = false;
  /** Whether what lies in the place can't become the copy. */
  private isSpoilt = false;
  private there: Promise<ReadonlyMap<string, ObjectFacts>> | undefined;
  /** The SHA-256 of the pieces that this attempt has put and read back, by name. */
  private readonly readBack = new Map<string, string>();

  constructor(
    private readonly parts: UploadParts,
    private readonly of: UploadOf,
  ) {
    super();
    this.signal = of.signal ? AbortSignal.any([of.signal, this.ending.signal]) : this.ending.signal;
    this.location = `${of.folder}/${of.open.place}`;
    const { region, store } = parts;
    const place = { region, backupId: of.backupId, folder: this.location, pieceBytes: of.open.pieceBytes };
    this.reader = new ObjectReader(store, place, this.signal);
  }

  async put(
    name: string,
    source: AsyncIterable<Buffer>,
    cipher?: ObjectCipher,
    progress?: Progress,
  ): Promise<StoredObject> {
    const { region, segmentBytes } = this.parts;
    checkedObjectName(name, region);
    const segments: VaultSegment[] = [];
    await this.sending(progress, async ({ send, sent }) => {
      const most = (index: number) => mostBytesOfSegment(index, segmentBytes);
      for await (const piece of cutAtChunks(source, most, cipher)) {
        const { bytes, sha256 } = piece;
        const key = pieceName(name, segments.push({ sizeBytes: bytes.length, sha256 }) - 1);
        await send((signal) => this.putPiece(key, piece, signal, sent));
      }
    });
    return { name, sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), segments };
  }

  async putKeys(of: KeysOf, bytes: Buffer): Promise<void> {
    const name = keysNames[of];
    const key = this.reader.keyOf(name);
    const sha256 = digestOf(bytes);
    await this.mustCount();
    const { store } = this.parts;
    if (await store.put(key, bytes, { sha256, if: 'absent' }, this.signal)) return;
    const there = await store.head(key, this.signal);
    if (there && (await store.put(key, bytes, { sha256, if: { tag: there.tag } }, this.signal))) return;
    throw this.spoilt(`something else lies at ${name}`);
  }

  override async bring(source: CopySource): Promise<void> {
    const { object } = source;
    const pieces = piecesOf(object, this.of.open.pieceBytes);
    await this.sending(source.readBack, async (by) => {
      const there = await this.piecesThere();
      if ('segments' in object) {
        const missing = await this.missing(source, pieces, there);
        await this.bringMissing(source, await this.copyInside(source, missing), by);
      } else await this.bringWhole(source, pieces, there, by.send);
    });
  }

  async seal(manifestBytes: Buffer, reading: Reading = {}): Promise<SealedManifest> {
    const { store } = this.parts;
    await this.mustCount();
    const put = { sha256: digestOf(manifestBytes), if: 'absent' } as const;
    const isPut = await store.put(this.reader.keyOf(manifestObjectName), manifestBytes, put, this.signal);
    if (!isPut) throw this.spoilt(`${manifestObjectName} is not what was written`);
    const proven = await this.proven(manifestBytes, reading);
    reading.signal?.throwIfAborted();
    await this.makeVisible(proven.sha256);
    this.isSealed = true;
    return { ...proven, location: this.location };
  }

  async discard(): Promise<void> {
    this.ending.abort(new Error('the attempt has ended'));
    if (this.isSealed) return;
    try {
      if (this.of.open.copyOf === undefined) await this.discardAttempt();
      else if (this.isSpoilt && !this.mayBeSealed) await this.close();
    } catch {
      // The next attempt, or the sweep, removes it.
    }
  }

  private sending(progress: Progress | undefined, run: (by: Sending) => Promise<void>): Promise<void> {
    const prove = (piece: PutPiece, signal: AbortSignal) => this.prove(piece, signal, progress);
    return sending({ signal: this.signal, mustCount: () => this.mustCount(), prove }, run);
  }

  /** @param sent is told of it, when it may be read back before the sealing */
  private async putPiece(
    name: string,
    { bytes, sha256, giveBack }: Cut,
    signal: AbortSignal,
    sent?: Sending['sent'],
  ): Promise<void> {
    const put = { sha256, if: 'absent' } as const;
    const facts = await this.parts.store.put(this.reader.keyOf(name), bytes, put, signal);
    if (!facts) throw this.spoilt(`something else lies at ${name}`);
    // Not after a failure: a request that was given up may still be sending.
    giveBack();
    sent?.({ name, bytes: bytes.length, sha256 });
  }

  private async prove(piece: PutPiece, signal: AbortSignal, progress: Progress | undefined): Promise<void> {
    await this.spoiling(() => this.reader.comparePiece(piece, signal, progress));
    this.readBack.set(piece.name, piece.sha256);
  }

  /** The pieces that have to be brought. What an earlier attempt has brought is compared. */
  private async missing(
    { skipped }: CopySource,
    pieces: readonly Piece[],
    there: ReadonlyMap<string, ObjectFacts>,
  ): Promise<Piece[]> {
    const looking = new InFlight(lookedAtATime, this.signal);
    try {
      for (const { name, bytes, sha256 } of pieces) {
        const facts = there.get(name);
        if (!facts || sha256 === undefined) continue;
        await looking.add(async (signal) => {
          await this.mustBe(name, facts, { bytes, sha256 }, signal);
          skipped(bytes);
        });
      }
      await looking.done();
    } catch (error) {
      await looking.stop(error);
      throw error;
    }
    return pieces.filter(({ name }) => !there.has(name));
  }

  /** Has the store copy what lies in it already. @returns the pieces that must be brought */
  private async copyInside({ inside, skipped }: CopySource, pieces: readonly Piece[]): Promise<readonly Piece[]> {
    if (!inside) return pieces;
    const { store } = this.parts;
    const left = new Set(pieces);
    const copying = new InFlight(copiedAtATime, this.signal);
    let isRefused = false;
    try {
      for (const [index, piece] of pieces.entries()) {
        if (isRefused) break;
        if (index % lookEach === 0) await this.mustCount();
        await copying.add(async (signal) => {
          const from = { store: inside.store, key: inside.keyOf(piece.name) };
          const facts = await store.copy(from, this.reader.keyOf(piece.name), signal);
          if (!facts) {
            isRefused = true;
            return;
          }
          await this.mustBe(piece.name, facts, { bytes: piece.bytes, sha256: piece.sha256 ?? '' }, signal);
          left.delete(piece);
          this.isCopiedInside = true;
          skipped(piece.bytes);
        });
      }
      await copying.done();
    } catch (error) {
      await copying.stop(error);
      throw error;
    }
    return pieces.filter((piece) => left.has(piece));
  }

  private async bringMissing(source: CopySource, pieces: readonly Piece[], { send, sent }: Sending): Promise<void> {
    for (const run of rowsOf(pieces)) {
      const [first] = run;
      if (!first) continue;
      const bytes = run.reduce((sum, piece) => sum + piece.bytes, 0);
      const sizes = run.map((piece) => piece.bytes);
      let index = 0;
      for await (const cut of cutInto(source.read({ from: first.from, bytes }), sizes)) {
        const piece = run[index];
        if (!piece || cut.bytes.length !== piece.bytes || cut.sha256 !== piece.sha256) throw source.altered();
        await send((signal) => this.putPiece(piece.name, cut, signal, sent));
        index += 1;
      }
      if (index < run.length) throw source.altered();
    }
  }

  /** The manifest proves only the whole, so all of it is read from the source. What is there already is not sent again. */
  private async bringWhole(
    source: CopySource,
    pieces: readonly Piece[],
    there: ReadonlyMap<string, ObjectFacts>,
    send: InFlight['add'],
  ): Promise<void> {
    const { object } = source;
    const check = new SegmentCheck(object, source.altered);
    const bytes = check.passing(source.read({ from: 0, bytes: object.sizeBytes }));
    let index = 0;
    for await (const cut of cutInto(
      bytes,
      pieces.map((piece) => piece.bytes),
    )) {
      const piece = pieces[index];
      if (!piece || cut.bytes.length !== piece.bytes) throw source.altered();
      const facts = there.get(piece.name);
      await send((signal) =>
        facts
          ? this.mustBe(piece.name, facts, { bytes: piece.bytes, sha256: cut.sha256 }, signal)
          : this.putPiece(piece.name, cut, signal),
      );
      index += 1;
    }
    if (index < pieces.length) throw source.altered();
  }

  /** What earlier attempts at the copy have put into the place. */
  private piecesThere(): Promise<ReadonlyMap<string, ObjectFacts>> {
    this.there ??= this.listed();
    return this.there;
  }

  private async listed(): Promise<ReadonlyMap<string, ObjectFacts>> {
    const there = new Map<string, ObjectFacts>();
    if (!this.of.isGoingOn) return there;
    const prefix = this.reader.keyOf('');
    for await (const facts of this.parts.store.list(prefix, this.signal))
      there.set(facts.key.slice(prefix.length), facts);
    return there;
  }

  private async mustBe(
    name: string,
    facts: ObjectFacts,
    expected: { bytes: number; sha256: string },
    signal: AbortSignal,
  ): Promise<void> {
    const isSame = facts.bytes === expected.bytes && (await this.reader.has(name, facts, expected.sha256, signal));
    if (!isSame) throw this.spoilt(`${name} is not what was brought there`);
  }

  /** Reads back what was not read yet, and looks at the rest: a backup that can't be read is never sealed. */
  private proven(written: Buffer, reading: Reading): Promise<Omit<SealedManifest, 'location'>> {
    return this.spoiling(async () => {
      const found = await this.reader.manifest();
      if (!found.equals(written)) throw this.reader.altered(`${manifestObjectName} is not what was written`);
      const sealed = parseManifest(found, this.of.backupId, this.parts.region);
      const { signal } = reading;
      await this.reader.compare(sealed, {
        ...reading,
        signal: signal ? AbortSignal.any([signal, this.signal]) : this.signal,
        byServer: this.isCopiedInside,
        readBefore: this.readBack,
      });
      return { ...sealed, ...(this.isCopiedInside && { verifiedBy: 'server' as const }) };
    });
  }

  /** Reads what lies in the place. */
  private async spoiling<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!isSpoilt(error)) throw error;
      this.isSpoilt = true;
      // The pieces may be gone because the attempt no longer counts.
      await this.mustCount();
      throw error;
    }
  }

  private async makeVisible(manifestSha256: string): Promise<void> {
    const { states } = this.parts;
    const { backupId, attempt } = this.of;
    const { place, pieceBytes } = this.of.open;
    const doubtful = () => {
      this.mayBeSealed = true;
    };
    for (let found = await states.read(backupId, this.signal); ; ) {
      if (!this.counts(found)) throw await this.late(found);
      const next = { attempt, sealed: { attempt, place, pieceBytes, manifestSha256 } };
      const { outcome, now } = await states.change(backupId, found, next, { signal: this.signal, doubtful });
      if (outcome === 'changed' || now.state.sealed?.place === place) return;
      found = now;
    }
  }

  /** @throws {VaultFault} `upload-superseded`, when a later attempt has begun or the backup was removed */
  private async mustCount(): Promise<void> {
    this.signal.throwIfAborted();
    const found = await this.parts.states.read(this.of.backupId, this.signal);
    if (!this.counts(found)) throw await this.late(found);
  }

  private counts({ state }: FoundState): boolean {
    return state.open?.begun === this.of.open.begun;
  }

  /** What was put after the place had been removed is removed as well. */
  private async late(found: FoundState): Promise<VaultFault> {
    await this.parts.checkVault();
    if (isDead(found, this.of.open.place)) await this.removePlace();
    return this.parts.apart.lost(this.of.backupId);
  }

  /** Nobody else writes in the place of an attempt, or can seal it. */
  private async discardAttempt(): Promise<void> {
    if (this.mayBeSealed) {
      const found = await this.parts.states.read(this.of.backupId, never);
      if (!isDead(found, this.of.open.place)) return;
    }
    await this.removePlace();
  }

  /** No attempt at the copy goes on with the place after that. */
  private async close(): Promise<void> {
    const { backupId } = this.of;
    const closed = await this.parts.changeState(backupId, (found) => {
      if (!this.counts(found)) throw this.parts.apart.lost(backupId);
      const { attempt, sealed } = found.state;
      return { attempt, ...(sealed && { sealed }) };
    });
    if (isDead(closed, this.of.open.place)) await this.removePlace();
  }

  private async removePlace(): Promise<void> {
    await this.parts.places.remove(this.of.backupId, this.of.open.place, never);
  }

  private spoilt(how: string): VaultFault {
    this.isSpoilt = true;
    return this.reader.altered(how);
  }
}

/**
 * Where things lie in a store of objects:
 *
 *     vault.json                                                                     the vault's identity
 *     backups/<last two digits of the id>/<backup id>/state                          what counts of the backup
 *     backups/<last two digits of the id>/<backup id>/<attempt>.<n>/manifest.json    of an attempt
 *     backups/<last two digits of the id>/<backup id>/<attempt>.<n>/keys.age         its keys, when it is encrypted; chain-keys.age
 *     backups/<last two digits of the id>/<backup id>/<attempt>.<n>/<name>.<piece>   the objects of an attempt, in pieces
 *
 * The pieces of an object are its segments, as the manifest names them. An object that its manifest proves as a whole lies in
 * pieces of the size that the state tells. So `cat NAME.*` is the object, for both.
 */
import { manifestObjectName, type VaultObject } from '@strongroom/contracts';
import { isKeysName } from '../manifest.js';
import { VaultFault } from '../vault-fault.js';

/** The size of a piece is a compromise: a smaller one costs more requests, and a larger one more memory and more that is sent again. */
export const usualPieceBytes = 16_777_216;
/**
 * The most bytes of the first segments. Three of them are in memory during an upload. That of a scheduler with its home in a bucket must leave the rest of
 * 256 MiB to the service, and twice this size did not.
 */
const usualSegmentBytes = 8_388_608;
/** From so many segments of an object on, they are twice as large: a manifest must stay small enough to be read. */
const doublings = [16_384, 49_152, 73_728, 90_112];
const digits = 6;
const mostPieces = 10 ** digits;
const placeForm = /^(\d+)\.(\d+)$/;
const backupIdForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The name under which a network file system keeps a file that was removed while it was open. */
const stillOpen = /^\.nfs/;

/** A part of an object that is an object of the store. */
export interface Piece {
  /** Its name within the place. */
  name: string;
  from: number;
  bytes: number;
  /** Undefined when the manifest proves only the object as a whole. */
  sha256: string | undefined;
}

export const allBackups = 'backups/';

/** @throws {VaultFault} `object-missing`: an id may come from the command line, and must not lead out of the vault */
export function folderOf(backupId: string, region: string): string {
  if (isBackupId(backupId)) return `${allBackups}${backupId.slice(-2)}/${backupId}`;
  throw new VaultFault(
    'object-missing',
    region,
    `${JSON.stringify(backupId)} is no backup's id: it must be a lower-case UUID.`,
  );
}

export function isBackupId(name: string): boolean {
  return backupIdForm.test(name);
}

export function shardPrefix(shard: number): string {
  return `${allBackups}${shard.toString(16).padStart(2, '0')}/`;
}

/** The backup that a key belongs to, and what comes after it. */
export function ofBackup(key: string): { backupId: string; rest: string } | undefined {
  const [, , backupId = '', ...rest] = key.split('/');
  return isBackupId(backupId) ? { backupId, rest: rest.join('/') } : undefined;
}

export function placeOf(attempt: number, seq: number): string {
  return `${attempt}.${seq}`;
}

/** The attempt of a place and the number of the change that opened it; undefined when it is none. */
export function placeNumbers(place: string): { attempt: number; seq: number } | undefined {
  const [, attempt, seq] = placeForm.exec(place) ?? [];
  return seq === undefined ? undefined : { attempt: Number(attempt), seq: Number(seq) };
}

/** The number of the newest change that opened one of these places; 0 when there is none. */
export function newestOf(places: ReadonlyMap<string, unknown>): number {
  return Math.max(0, ...[...places.keys()].map((place) => placeNumbers(place)?.seq ?? 0));
}

/** How many bytes a segment has at the most. @param pieceBytes of the vault. Its segments have no more than that at first */
export function mostBytesOfSegment(index: number, pieceBytes: number): number {
  return Math.min(pieceBytes, usualSegmentBytes) * 2 ** doublings.filter((from) => index >= from).length;
}

export function pieceName(objectName: string, index: number): string {
  if (index >= mostPieces) throw new RangeError(`${objectName} has more than ${mostPieces} pieces`);
  return `${objectName}.${String(index).padStart(digits, '0')}`;
}

/** @param pieceBytes of an object that is proven as a whole */
export function piecesOf(object: VaultObject, pieceBytes: number): Piece[] {
  const pieces: Piece[] = [];
  const add = (from: number, bytes: number, sha256?: string) =>
    pieces.push({ name: pieceName(object.name, pieces.length), from, bytes, sha256 });
  let from = 0;
  if ('segments' in object) {
    for (const { sizeBytes, sha256 } of object.segments) {
      add(from, sizeBytes, sha256);
      from += sizeBytes;
    }
    return pieces;
  }
  do {
    const bytes = Math.min(pieceBytes, object.sizeBytes - from);
    add(from, bytes);
    from += bytes;
  } while (from < object.sizeBytes);
  return pieces;
}

/** Pieces that follow each other are read from the source in one go. */
export function rowsOf(pieces: readonly Piece[]): Piece[][] {
  const rows: Piece[][] = [];
  for (const piece of pieces) {
    const row = rows.at(-1);
    const last = row?.at(-1);
    if (row && last && last.from + last.bytes === piece.from) row.push(piece);
    else rows.push([piece]);
  }
  return rows;
}

/** Whether something may lie in a place beside what its manifest names. */
export function mayLieBeside(name: string): boolean {
  return name === manifestObjectName || isKeysName(name) || stillOpen.test(name);
}

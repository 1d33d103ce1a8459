/**
 * The text by which streams tell of items. Each item is put into words once, and all streams that tell the same write the same bytes:
 * an item costs no more for a thousand streams than for one, but for the writing itself.
 */
import type { LedgerItem, LedgerPlace } from '@strongroom/ledger';

export interface Told {
  id: string;
  type: string;
  data: object;
}

/** The text of some items that follow one another. */
export interface Piece {
  text: Buffer;
  /** The id of the last of them, and its place. */
  id: string;
  place: LedgerPlace;
}

/** A stream waits for a slow client after each piece, so no more than this is kept for it. */
const bytesOfPiece = 32_768;

export class Words {
  private readonly ofItems = new WeakMap<LedgerItem, Piece | undefined>();
  private readonly ofLists = new WeakMap<readonly LedgerItem[], Piece[]>();

  /** @param tell gives what is told of an item; undefined for what streams of this kind do not tell of */
  constructor(private readonly tell: (item: LedgerItem) => Told | undefined) {}

  /** The items of a list that are told of, in pieces. A list that comes again must be the same. */
  piecesOf(items: readonly LedgerItem[]): readonly Piece[] {
    const before = this.ofLists.get(items);
    if (before) return before;
    const pieces = joined(items.flatMap((item) => this.pieceOf(item) ?? []));
    this.ofLists.set(items, pieces);
    return pieces;
  }

  private pieceOf(item: LedgerItem): Piece | undefined {
    if (this.ofItems.has(item)) return this.ofItems.get(item);
    const told = this.tell(item);
    const piece = told && { text: Buffer.from(textOf(told)), id: told.id, place: item };
    this.ofItems.set(item, piece);
    return piece;
  }
}

function joined(pieces: readonly Piece[]): Piece[] {
  const found: Piece[] = [];
  let [texts, bytes]: [Buffer[], number] = [[], 0];
  for (const [at, { text, id, place }] of pieces.entries()) {
    texts.push(text);
    bytes += text.length;
    if (bytes < bytesOfPiece && at < pieces.length - 1) continue;
    found.push({ text: Buffer.concat(texts), id, place });
    [texts, bytes] = [[], 0];
  }
  return found;
}

function textOf({ id, type, data }: Told): string {
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

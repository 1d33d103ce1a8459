/** Sends pieces, two at a time, and reads back those that were put while more are sent. When it ends, nothing is under way any more. */
import { InFlight } from './in-flight.js';
import { type PutPiece, ReadBack } from './read-back.js';

export interface SendingParts {
  signal: AbortSignal;
  /** @throws when the attempt does not count any more */
  mustCount(): Promise<void>;
  /** Reads a piece back. @throws when it is not what was put */
  prove(piece: PutPiece, signal: AbortSignal): Promise<void>;
}

export interface Sending {
  /** Begins to send a piece as soon as there is room for it. @throws why another one has failed */
  send: InFlight['add'];
  /** The piece was put, and may be read back. */
  sent: (piece: PutPiece) => void;
}

/** So many pieces are sent at a time, while the next one is collected. */
const sentAtATime = 2;
/** After so many pieces an attempt looks whether it still counts. */
export const lookEach = 64;

/** @throws what any part of it throws first */
export async function sending(parts: SendingParts, run: (by: Sending) => Promise<void>): Promise<void> {
  const { signal, mustCount, prove } = parts;
  await mustCount();
  const flight = new InFlight(sentAtATime, signal);
  const back = new ReadBack(prove, signal);
  let begun = 0;
  const send: InFlight['add'] = async (task) => {
    back.goOn();
    await flight.add(task);
    begun += 1;
    if (begun % lookEach === 0) await mustCount();
  };
  try {
    await run({ send, sent: (piece) => back.add(piece) });
    await flight.done();
    await back.end();
  } catch (error) {
    await Promise.all([flight.stop(error), back.stop()]);
    throw error;
  }
  await mustCount();
}

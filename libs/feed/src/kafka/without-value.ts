/** A message whose event is too large for the broker: it has all headers and no value, and readers ask the ledger. */
import { z } from 'zod';
import { type cloudEventOf, positionHeader } from './cloud-event.js';

export const valueHeader = 'strongroom-value';
const inTheLedger = 'too large for the broker: ask for the event by its id';

const headersOfEvent = z.object({
  // Strangers write headers too: a number that is no position may not reach the database.
  [positionHeader]: z.coerce.number().pipe(z.int().positive()),
  ce_id: z.string(),
});
const headersOfCut = z.object({ [valueHeader]: z.literal(inTheLedger) });

export function withoutValue(message: ReturnType<typeof cloudEventOf>): ReturnType<typeof cloudEventOf> {
  return { ...message, value: '', headers: { ...message.headers, [valueHeader]: inTheLedger } };
}

/** The place in the ledger of an event that was sent without its value; undefined for every other message. */
export function placeOfCut(headers: Record<string, string>): { position: number; id: string } | undefined {
  return headersOfCut.safeParse(headers).success ? placeInHeaders(headers) : undefined;
}

/** The place in the ledger that the headers of a message tell; undefined when they tell none. */
export function placeInHeaders(headers: Record<string, string>): { position: number; id: string } | undefined {
  const { data } = headersOfEvent.safeParse(headers);
  return data && { position: data[positionHeader], id: data.ce_id };
}

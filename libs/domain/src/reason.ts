/** Brings reasons into a form that an event may hold: a reason can be long, and may quote what no database stores. */

const mostCharacters = 2_000;
/** NUL characters, and halves of characters, which a cut can leave. */
const unstorable = /\0|\p{Cs}/gu;

/** A reason in a form that every event takes, however long it is. */
export function storable(reason: string): string {
  const told = reason.slice(0, mostCharacters).replaceAll(unstorable, '\u{fffd}');
  return told === '' ? 'No reason was given.' : told;
}

/** Reasons as an event may hold them: the cause of a cause can be long, and may quote what no database stores. */

const mostCharacters = 2_000;
/** NUL, and halves of characters: also those that a cut leaves. */
const unstorable = /\0|\p{Cs}/gu;

/** A reason in the form that every event takes, however long it was. */
export function storable(reason: string): string {
  const told = reason.slice(0, mostCharacters).replaceAll(unstorable, '\u{fffd}');
  return told === '' ? 'No reason was given.' : told;
}

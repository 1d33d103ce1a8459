/** Brings what was told into a form that an event may hold: it can be long, and may quote what no database stores. */

const mostCharacters = 2_000;
/** As `datastore.version` of the contracts. */
const mostOfVersion = 32;
/** NUL characters, and halves of characters, which a cut can leave. */
const unstorable = /\0|\p{Cs}/gu;

/** A reason in a form that every event takes, however long it is. */
export function storable(reason: string): string {
  const told = reason.slice(0, mostCharacters).replaceAll(unstorable, '\u{fffd}');
  return told === '' ? 'No reason was given.' : told;
}

/** A version in a form that every event takes; empty when nothing is left of it. */
export function shortVersion(version: string): string {
  return version.replaceAll(/[\p{Cc}\p{Cs}]/gu, '').slice(0, mostOfVersion);
}

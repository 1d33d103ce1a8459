/**
 * Brings what is appended into a form that the database stores. Texts may quote what strangers say, and PostgreSQL keeps neither NUL
 * nor halves of characters: one of them would have the event refused again and again.
 */

/** Escapes of JSON, in order, so that an escaped backslash is not taken for the beginning of one. */
const escapes = /\\(?:u(?:0000|d[89a-f][0-9a-f]{2})|.)/gs;
/** A character that is whole is not escaped, so what is escaped of this range is a half. */
const unstorable = /^\\u[0d]/;

/** @param json as `JSON.stringify` makes it @returns the same, with U+FFFD in place of what is not stored */
export function storable(json: string): string {
  if (!/\\u(?:0000|d)/.test(json)) return json;
  return json.replace(escapes, (each) => (each.length > 2 && unstorable.test(each) ? '\\ufffd' : each));
}

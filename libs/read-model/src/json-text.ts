/**
 * JSON that PostgreSQL writes, for answers that are sent as they come from it. Each expression gives the text of one JSON value. A NULL
 * anywhere makes the whole text NULL, so a text that is there is valid.
 */

/** @param fields the expression of each field, in the order of the answer. A field of the resource that is missing here does not compile. */
export function objectText<Resource extends object>(fields: Readonly<Record<keyof Resource & string, string>>): string {
  const parts = Object.entries<string>(fields).map(
    ([name, value], at) => `'${at === 0 ? '{' : ','}"${name}":' || ${value}`,
  );
  return `(${parts.join(' || ')} || '}')`;
}

/** Text that needs no escapes, such as an id. */
export function plainText(value: string): string {
  return `('"' || ${value} || '"')`;
}

/** An instant as `YYYY-MM-DDThh:mm:ss`, in UTC. */
export function zonelessText(instant: string): string {
  return `to_json(date_trunc('second', ${instant} at time zone 'UTC'))::text`;
}

export function orNull(value: string): string {
  return `coalesce(${value}, 'null')`;
}

/** An instant as RFC 3339 with milliseconds, in UTC. */
export function utcText(instant: string): string {
  return `to_char(${instant} at time zone 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"Z\\""')`;
}

/** Any text, with what JSON escapes. */
export function escapedText(value: string): string {
  return `to_json(${value})::text`;
}

/** Reads the lines of PostgreSQL's configuration files. Source: src/backend/utils/misc/guc-file.l. Each character stands for a byte. */

/** A line that sets something, or includes a file. */
export interface SettingLine {
  /** The number of the line in the text, from 0 on. */
  index: number;
  /** The setting's name in lower case. */
  name: string;
  value: string;
}

const line =
  /^[ \t\r\f]*([A-Za-z_\x80-\xff][A-Za-z_0-9$\x80-\xff]*(?:\.[A-Za-z_\x80-\xff][A-Za-z_0-9$\x80-\xff]*)?)[ \t\r\f]*=?[ \t\r\f]*(?:'((?:[^'\\]|''|\\.)*)'|([^ \t\r\n\f\v#']+))/;
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

export function settingLines(text: string): SettingLine[] {
  return text.split('\n').flatMap((content, index) => {
    const [, name, quoted, plain] = line.exec(content) ?? [];
    if (name === undefined) return [];
    return { index, name: name.toLowerCase(), value: quoted === undefined ? (plain ?? '') : unquoted(quoted) };
  });
}

/**
 * The lines of a pg_hba.conf or pg_ident.conf. One that ends with a backslash goes on in the next, even when it is a comment.
 * Source: src/backend/libpq/hba.c, tokenize_auth_file.
 */
export function joinedLines(text: string): { indices: number[]; line: string }[] {
  const joined: { indices: number[]; line: string }[] = [];
  let goesOn = false;
  for (const [index, content] of text.split('\n').entries()) {
    const line = content.replace(/\r+$/, '');
    const last = goesOn ? joined.at(-1) : undefined;
    goesOn = line.endsWith('\\');
    const part = goesOn ? line.slice(0, -1) : line;
    if (!last) joined.push({ indices: [index], line: part });
    else {
      last.indices.push(index);
      last.line += part;
    }
  }
  return joined;
}

/** @param mark a comment that says why */
export function withLinesOut(text: string, indices: ReadonlySet<number>, mark: string): string {
  const lines = text.split('\n');
  return lines.map((content, index) => (indices.has(index) ? `#${content.trimEnd()}  # ${mark}` : content)).join('\n');
}

export function settingLine(name: string, value: string): string {
  return `${name} = '${value.replaceAll("'", "''")}'`;
}

function unquoted(text: string): string {
  return text.replace(/''|\\([0-7]{1,3}|.)/g, (found, escaped: string | undefined) => {
    if (escaped === undefined) return found === "''" ? "'" : found;
    if (/^[0-7]/.test(escaped)) return String.fromCharCode(Number.parseInt(escaped, 8) & 0xff);
    return escapes[escaped] ?? escaped;
  });
}

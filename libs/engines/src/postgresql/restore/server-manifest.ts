/**
 * Reads and writes PostgreSQL's own manifest of a backup: every file with its size and checksum, and a checksum of itself.
 * That is done line by line, as the server writes it: with millions of files it has hundreds of megabytes.
 * Source: PostgreSQL documentation, "Backup Manifest Format"; src/backend/backup/backup_manifest.c.
 */
import { createHash } from 'node:crypto';
import { EngineFault } from '../../engine-fault.js';
import { PathTable } from './path-table.js';

export interface ListedFile {
  /** The path as bytes, see byte-path.ts. */
  path: string;
  sizeBytes: number;
  /** Such as `2026-11-14 14:30:00 GMT`. */
  modified: string;
  sha256: string;
}

/** The text before and after the list of files, as the server wrote it. */
export interface ManifestFrame {
  head: string;
  tail: string;
}

const opening = '"Files": [';
const closing = '],';
const ending = '"Manifest-Checksum"';
const entry =
  /^\{ "(Path|Encoded-Path)": "((?:[^"\\]|\\.)*)", "Size": (\d{1,16}), "Last-Modified": "([^"\\]*)", "Checksum-Algorithm": "SHA256", "Checksum": "([0-9a-f]{64})" \}(,?)$/;
const last = /^"Manifest-Checksum": "([0-9a-f]{64})"\}$/;
const headForm = /^\{ "PostgreSQL-Backup-Manifest-Version": \d+,\n(?:"System-Identifier": \d+,\n)?"Files": \[\n$/;
const tailForm =
  /^\],\n"WAL-Ranges": \[\n(?:\{ "Timeline": \d+, "Start-LSN": "[0-9A-F]+\/[0-9A-F]+", "End-LSN": "[0-9A-F]+\/[0-9A-F]+" \},?\n)*\],\n$/;
const notOfTheForm = 'it is not of the form that PostgreSQL writes';
/** Roughly the shortest line of a file. It tells how many files a manifest of some size has at most. */
const leastLineBytes = 190;
/** A path has a few hundred bytes. A longer line is in no manifest. */
const longestLineBytes = 65_536;
/** The text around the list is shorter than this. */
const longestFrame = 1_048_576;
/** That of five million files. A table of more would take more memory than there is. */
const mostManifestBytes = 1_073_741_824;
const mostFiles = 8_000_000;

/**
 * Gives the files that a manifest lists, one after the other. Its checksum is compared at the end, and only then.
 * @param frame is filled: its head before the first file, its tail after the last
 * @throws {EngineFault} `backup-content-invalid`
 */
export async function* listedFiles(
  manifest: AsyncIterable<unknown>,
  frame: ManifestFrame = { head: '', tail: '' },
): AsyncGenerator<ListedFile> {
  let part: 'head' | 'files' | 'tail' = 'head';
  let expects: 'file or end' | 'file' | 'end' = 'file or end';
  for await (const line of checkedLines(manifest)) {
    if (frame.head.length + frame.tail.length > longestFrame) throw invalid(notOfTheForm);
    if (part === 'head') {
      frame.head += `${line}\n`;
      if (line === opening) part = 'files';
    } else if (part === 'files' && line !== closing) {
      if (expects === 'end') throw invalid(notOfTheForm);
      const { isLast, file } = fileOf(line);
      expects = isLast ? 'end' : 'file';
      yield file;
    } else {
      if (expects === 'file') throw invalid(notOfTheForm);
      part = 'tail';
      frame.tail += `${line}\n`;
    }
  }
  if (!headForm.test(frame.head) || !tailForm.test(frame.tail)) throw invalid(notOfTheForm);
}

/** Reads the files of a manifest into a table, to compare them with what comes. @param sizeBytes roughly, of the manifest */
export async function tableOf(manifest: AsyncIterable<unknown>, sizeBytes: number): Promise<PathTable> {
  if (sizeBytes > mostManifestBytes) throw invalid(`it has ${sizeBytes} bytes`);
  const table = new PathTable(Math.ceil(sizeBytes / leastLineBytes));
  for await (const { path, sizeBytes: size, sha256 } of listedFiles(manifest)) {
    if (table.size >= mostFiles) throw invalid(`it lists more than ${mostFiles} files`);
    if (!table.add(path, size, sha256)) throw invalid('it lists a file twice');
  }
  return table;
}

/**
 * The text of a manifest, as the server would write it.
 * @param files may be those of `listedFiles`, whose frame is filled while they come
 */
export async function* manifestText(files: AsyncIterable<ListedFile>, frame: ManifestFrame): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  const said = (text: string): Buffer => {
    const bytes = Buffer.from(text, 'latin1');
    digest.update(bytes);
    return bytes;
  };
  let lines = '';
  let isFirst = true;
  for await (const file of files) {
    if (isFirst) lines = frame.head;
    lines += `${isFirst ? '' : ',\n'}${lineOf(file)}`;
    isFirst = false;
    if (lines.length < longestLineBytes) continue;
    yield said(lines);
    lines = '';
  }
  yield said(isFirst ? `${frame.head}${frame.tail}` : `${lines}\n${frame.tail}`);
  yield Buffer.from(`${ending}: "${digest.digest('hex')}"}\n`);
}

function fileOf(line: string): { file: ListedFile; isLast: boolean } {
  const [, kind, name = '', size = '', modified = '', sha256 = '', comma] = entry.exec(line) ?? [];
  const sizeBytes = Number(size);
  if (kind === undefined || !Number.isSafeInteger(sizeBytes))
    throw invalid(`${notOfTheForm}, with each file's SHA-256`);
  const path = kind === 'Path' ? unescaped(name) : decoded(name);
  return { file: { path, sizeBytes, modified, sha256 }, isLast: comma === '' };
}

function lineOf({ path, sizeBytes, modified, sha256 }: ListedFile): string {
  const bytes = Buffer.from(path, 'latin1');
  const isText = Buffer.from(bytes.toString('utf8')).equals(bytes);
  const name = isText ? `"Path": ${JSON.stringify(path)}` : `"Encoded-Path": "${bytes.toString('hex')}"`;
  return `{ ${name}, "Size": ${sizeBytes}, "Last-Modified": "${modified}", "Checksum-Algorithm": "SHA256", "Checksum": "${sha256}" }`;
}

function unescaped(name: string): string {
  if (!name.includes('\\')) return name;
  try {
    const text: unknown = JSON.parse(`"${name}"`);
    if (typeof text === 'string' && Buffer.from(text, 'latin1').toString('latin1') === text) return text;
  } catch {
    // The lines are checked below.
  }
  throw invalid('it has a name that is no JSON');
}

function decoded(hex: string): string {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) throw invalid('it has a name that is no hexadecimal');
  return Buffer.from(hex, 'hex').toString('latin1');
}

/** Gives all lines but the last, which has the checksum of the others. Each character is a byte. */
async function* checkedLines(manifest: AsyncIterable<unknown>): AsyncGenerator<string> {
  const digest = createHash('sha256');
  let rest: Buffer = Buffer.alloc(0);
  let said: string | undefined;
  for await (const chunk of manifest) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a manifest gave no bytes');
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let end = bytes.indexOf(10, at); end !== -1; end = bytes.indexOf(10, at)) {
      if (said !== undefined) throw invalid('it does not end where it should');
      const line = bytes.toString('latin1', at, end);
      if (line.startsWith(ending)) {
        digest.update(bytes.subarray(0, at));
        said = line;
      } else yield line;
      at = end + 1;
    }
    if (said === undefined) digest.update(bytes.subarray(0, at));
    rest = bytes.subarray(at);
    if (rest.length > longestLineBytes) throw invalid(notOfTheForm);
  }
  if (said === undefined || rest.length > 0) throw invalid('it breaks off');
  if (last.exec(said)?.[1] !== digest.digest('hex')) throw invalid('its checksum of itself is wrong');
}

function invalid(why: string): EngineFault {
  return new EngineFault('backup-content-invalid', `The server's manifest in the backup can't be used: ${why}.`);
}

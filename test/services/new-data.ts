/**
 * Data folders for customers' servers, as `initdb` makes them and in a tenth of its time: each is a copy of one that the run
 * has made, with a system id of its own.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PostgresOptions, PostgresServer } from '@strongroom/server-processes';

const run = promisify(execFile);
/** Where the long header of a WAL segment's first page has the system id. */
const inSegment = 24;
const castagnoli = 0x82f63b78;

export interface NewData {
  programs?: string;
  checksums?: boolean;
}

/**
 * Fills the folder, which must not exist yet and which PostgreSQL's user must be able to reach.
 * @returns the password of its superuser
 */
export async function newData(directory: string, { programs, checksums = true }: NewData = {}): Promise<string> {
  const template = await templateOf({ ...(programs !== undefined && { programs }), checksums });
  await run('cp', ['-a', join(template, 'data'), directory]);
  await giveSystemId(directory);
  return readFile(join(template, 'password'), 'utf8');
}

async function templateOf(asked: NewData): Promise<string> {
  const folder = process.env.STRONGROOM_TEST_TEMPLATES;
  if (!folder) throw new Error('STRONGROOM_TEST_TEMPLATES is not set: run the tests with npm test');
  const name = [asked.programs?.replaceAll(/[^\w.-]/g, '-') ?? 'own', asked.checksums ? 'checked' : 'unchecked'];
  const template = join(folder, name.join('.'));
  if (await exists(join(template, 'password'))) return template;
  const unfinished = `${template}.${randomBytes(4).toString('hex')}`;
  await mkdir(unfinished, { recursive: true });
  await chmod(unfinished, 0o711);
  const password = randomBytes(8).toString('hex');
  const directory = join(unfinished, 'data');
  const options: PostgresOptions = {
    directory,
    password,
    logFile: join(unfinished, 'log'),
    settings: { fsync: 'off' },
  };
  await (await PostgresServer.start({ ...options, ...asked })).stop();
  await writeFile(join(unfinished, 'password'), password);
  try {
    await rename(unfinished, template);
  } catch (error) {
    // Another worker has made it meanwhile.
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(join(template, 'password')))) throw error;
  }
  return template;
}

const exists = (file: string) =>
  readFile(file).then(
    () => true,
    () => false,
  );

/** Writes a new system id wherever the old one is: in the control file and in the WAL. */
async function giveSystemId(data: string): Promise<void> {
  const controlFile = join(data, 'global', 'pg_control');
  const control = await readFile(controlFile);
  const old = control.readBigUInt64LE();
  const at = checksumIn(control);
  randomBytes(8).copy(control);
  // An identifier begins with the seconds since 1970, so its highest bit is clear: SQL shows it without a sign then.
  control.writeUInt8(control.readUInt8(7) & 0x7f, 7);
  control.writeUInt32LE(crc32c(control.subarray(0, at)), at);
  // They are written in place, so that they keep their owner.
  await overwrite(controlFile, control, 0);
  for (const name of await readdir(join(data, 'pg_wal'))) {
    if (!/^[0-9A-F]{24}$/.test(name)) continue;
    const segment = join(data, 'pg_wal', name);
    if ((await first(segment, inSegment + 8)).readBigUInt64LE(inSegment) !== old) continue;
    await overwrite(segment, control.subarray(0, 8), inSegment);
  }
}

/** Where the control file has the checksum of what stands before it; each version has its own length. */
function checksumIn(control: Buffer): number {
  for (let at = 200; at < 512; at += 4) {
    if (crc32c(control.subarray(0, at)) === control.readUInt32LE(at)) return at;
  }
  throw new Error('the control file has no checksum');
}

function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ castagnoli : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

async function first(file: string, length: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    return (await handle.read(Buffer.alloc(length), 0, length, 0)).buffer;
  } finally {
    await handle.close();
  }
}

async function overwrite(file: string, bytes: Buffer, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, at);
  } finally {
    await handle.close();
  }
}

/**
 * The state of a backup in a directory vault, which says what counts: one small object, changed by compare-and-set alone.
 *
 *     ROOT/backups/<last two digits of the id>/<backup id>/state.<number>
 *
 * The highest number counts. A change is written under a temporary name and linked to the next number. This fails when
 * somebody else has linked that number first. After the link the folder is read again: a process that slept may have
 * linked a number that was passed and removed long ago. Numbers below the one that counts are never read again.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { basename, join } from 'node:path';
import { manifestObjectName, sha256Hex, uuid } from '@strongroom/contracts';
import { z } from 'zod';
import { codeOf } from '../error-code.js';
import { parseShallow } from '../shallow-json.js';
import { VaultFault } from '../vault-fault.js';
import { whyUnparsed } from '../why-unparsed.js';
import { isWithoutLinks, noLinks } from './file-system-trial.js';
import { StrangeEntry } from './vault-files.js';
import { absentAs, type VaultRoot } from './vault-root.js';

/** Where an older version stored a backup: in the backup's folder itself. */
export const oldPlace = '.';
const place = z.string().regex(/^(\.|\d+\.\d+)$/);
const attempt = z.int().min(0);

const sealedState = z.strictObject({
  attempt,
  place,
  /** Not known when an older version has sealed the backup. */
  manifestSha256: sha256Hex.optional(),
});
export type SealedState = z.infer<typeof sealedState>;

const backupState = z.strictObject({
  format: z.literal('strongroom-state/1'),
  /** The id of this change. A process that linked it and did not learn the outcome recognises it by this id. */
  change: uuid,
  /** The number of the newest attempt that has begun. */
  attempt,
  /** The only place that may be sealed, which is that of the newest attempt. */
  open: place.optional(),
  sealed: sealedState.optional(),
  /** The backup was removed: neither this attempt nor an earlier one may put anything here again. */
  gone: z.literal(true).optional(),
});
export type BackupState = z.infer<typeof backupState>;

export interface FoundState {
  /** The number of the state that counts; 0 when there is none. */
  seq: number;
  state: BackupState;
  /** The names in the backup's folder. */
  names: string[];
}

type Next = Pick<BackupState, 'attempt' | 'open' | 'sealed' | 'gone'>;

/** After an error it is not known whether the change was made, or will still be made. */
export type Changed = { outcome: 'changed' | 'conflict'; now: FoundState };

const stateName = /^state\.(\d{12})$/;
const placeName = /^(\d+)\.(\d+)$/;
/** The name of a change that does not count yet. */
const changeName = /^\.state\.[0-9a-f-]{36}$/;
const mostLooks = 20;

export class BackupStates {
  constructor(private readonly root: VaultRoot) {}

  /** @throws {VaultFault} `manifest-invalid`, when the state can't be used */
  async read(backupId: string): Promise<FoundState> {
    return this.find(backupId, (bytes) => this.parsed(bytes, backupId));
  }

  /**
   * As `read`, for a caller who puts another state in its place. When the state can't be used, this tells what may count: a
   * place with a manifest counts as sealed, because its user compares every byte.
   */
  async readToReplace(backupId: string): Promise<FoundState> {
    return this.find(backupId, async (bytes, names) => {
      try {
        return this.parsed(bytes, backupId);
      } catch (error) {
        if (!(error instanceof VaultFault)) throw error;
        return this.guessed(backupId, names);
      }
    });
  }

  private async find(
    backupId: string,
    parse: (bytes: Buffer, names: string[]) => BackupState | Promise<BackupState>,
  ): Promise<FoundState> {
    const folder = this.root.folderOf(backupId);
    for (let look = 1; ; look += 1) {
      const names = await absentAs<string[]>([], this.root.files.list(folder));
      const seq = highestOf(names);
      if (seq === 0) return { seq, names, state: await this.withoutState(backupId, folder) };
      try {
        const bytes = await strangeAs(Buffer.alloc(0), this.root.files.readFile(join(folder, nameOf(seq))));
        return { seq, names, state: await parse(bytes, names) };
      } catch (error) {
        // The state was passed and removed between the two looks. A network file system may use the other code.
        if (!['ENOENT', 'ESTALE'].includes(codeOf(error)) || look === mostLooks) throw error;
      }
    }
  }

  /**
   * Changes the state if it is still what was found.
   * @param doubtful called when an error from now on does not tell whether the change was made
   */
  async change(backupId: string, from: FoundState, next: Next, doubtful = () => {}): Promise<Changed> {
    const { files } = this.root;
    const folder = this.root.folderOf(backupId);
    const change = randomUUID();
    const written = join(folder, `.state.${change}`);
    const bytes = `${JSON.stringify(backupState.parse({ format: 'strongroom-state/1', change, ...next }), null, 2)}\n`;
    try {
      await files.writeNew(written, Buffer.from(bytes));
      doubtful();
      let failure: unknown;
      await files.link(written, join(folder, nameOf(from.seq + 1))).catch((error: unknown) => {
        failure = error ?? new Error('unknown');
      });
      if (isWithoutLinks(failure)) throw noLinks(this.root, codeOf(failure), failure);
      // A network file system may have made a change that it says has failed, so the folder is read.
      const now = await this.read(backupId);
      if (now.state.change !== change) {
        if (now.seq > from.seq) return { outcome: 'conflict', now };
        throw failure ?? new Error('what was linked is not there');
      }
      await files.syncFolder(folder);
      await this.removePassed(folder, now);
      return { outcome: 'changed', now };
    } finally {
      await files.unlink(written).catch(() => {});
    }
  }

  /**
   * Removes the state of a backup, if it is still the state that was found and nothing else is there. Numbers begin anew
   * after that, so no attempt at the backup may ever begin again.
   */
  async forget(backupId: string, found: FoundState): Promise<boolean> {
    const folder = this.root.folderOf(backupId);
    await this.removePassed(folder, found);
    const [only, ...others] = await this.root.files.list(folder);
    if (only !== nameOf(found.seq) || others.length > 0) return false;
    await absentAs(undefined, this.root.files.unlink(join(folder, only)));
    await this.root.files.removeEmptyFolder(folder);
    return true;
  }

  private async removePassed(folder: string, { seq, names }: FoundState): Promise<void> {
    for (const name of names) {
      if (seqOfState(name) < seq && seqOfState(name) > 0)
        await this.root.files.unlink(join(folder, name)).catch(() => {});
    }
  }

  /** As an older version left it: the manifest of a sealed backup is in its folder, and other attempts lie elsewhere. */
  private async withoutState(backupId: string, folder: string): Promise<BackupState> {
    const manifest = this.root.files.access(join(folder, manifestObjectName), constants.F_OK).then(() => true);
    const isSealed = await absentAs(false, manifest);
    const attempts = (await this.oldAttempts(backupId)).map(({ number }) => number);
    return {
      format: 'strongroom-state/1',
      change: backupId,
      attempt: Math.max(0, ...attempts),
      ...(isSealed && { sealed: { attempt: 0, place: oldPlace } }),
    };
  }

  private async guessed(backupId: string, names: readonly string[]): Promise<BackupState> {
    const folder = this.root.folderOf(backupId);
    const opened = names.flatMap((name) => {
      const [, attemptNumber, seq] = placeName.exec(name) ?? [];
      return seq === undefined ? [] : [{ place: name, attempt: Number(attemptNumber), seq: Number(seq) }];
    });
    opened.sort((one, other) => other.seq - one.seq);
    const old = names.includes(manifestObjectName) ? [{ place: oldPlace, attempt: 0 }] : [];
    const newest = Math.max(0, ...opened.map((each) => each.attempt));
    const guess = { format: 'strongroom-state/1' as const, change: backupId, attempt: newest };
    for (const { place, attempt } of [...opened, ...old]) {
      const manifest = this.root.files.access(join(folder, place, manifestObjectName), constants.F_OK).then(() => true);
      if (await strangeAs(false, absentAs(false, manifest))) return { ...guess, sealed: { attempt, place } };
    }
    return guess;
  }

  /** What attempts of an older version left under temporary names. */
  async oldAttempts(backupId: string): Promise<{ number: number; path: string }[]> {
    const names = await absentAs<string[]>([], this.root.files.list(this.root.partials));
    return names
      .filter((name) => name.startsWith(`${backupId}.`) && /^\d+$/.test(name.slice(backupId.length + 1)))
      .map((name) => ({ number: Number(name.slice(backupId.length + 1)), path: join(this.root.partials, name) }));
  }

  private parsed(bytes: Buffer, backupId: string): BackupState {
    try {
      return backupState.parse(parseShallow(bytes));
    } catch (cause) {
      const { region } = this.root;
      const why = whyUnparsed(cause);
      throw new VaultFault(
        'manifest-invalid',
        region,
        `The state of backup ${backupId} in the vault of ${region} (${this.root.locationOf(backupId)}) can't be used: ${why}`,
        { cause },
      );
    }
  }
}

/** The name of the place that an attempt opens by the change of that number. No two attempts ever have the same. */
export function placeOf(attemptNumber: number, seq: number): string {
  return `${attemptNumber}.${seq}`;
}

function isPlace(name: string): boolean {
  return placeName.test(name);
}

/**
 * The places that do not count and never will. Before a process removes a place, it must have seen a state that is later than
 * the change that opened the place. Under that state the place is neither sealed nor open. This is safe because only an open
 * place can be sealed, and every place that is opened is new.
 */
export function deadPlaces(found: FoundState): string[] {
  return found.names.filter((name) => isPlace(name) && isDead(found, name));
}

export function isDead({ seq, state }: FoundState, name: string): boolean {
  const opened = Number(placeName.exec(name)?.[2] ?? Number.POSITIVE_INFINITY);
  return opened <= seq && name !== state.open && name !== state.sealed?.place;
}

/** What an older version has sealed or half removed, and what no longer counts. It lies beside the places. */
export function oldNames({ seq, state, names }: FoundState): string[] {
  if (seq === 0 || state.sealed?.place === oldPlace) return [];
  return names.filter((name) => !isOurs(name)).sort(manifestFirst);
}

/** What was left by changes that were cut off, and the states that were passed. */
export function passedNames({ seq, names }: FoundState): string[] {
  return names.filter((name) => changeName.test(name) || (seqOfState(name) > 0 && seqOfState(name) < seq));
}

/** Whether a name is not that of an object, in a backup's folder that is itself the place. */
export function isOurs(name: string): boolean {
  return stateName.test(name) || changeName.test(name) || placeName.test(name);
}

function manifestFirst(one: string, other: string): number {
  return Number(other === manifestObjectName) - Number(one === manifestObjectName);
}

function nameOf(seq: number): string {
  return `state.${String(seq).padStart(12, '0')}`;
}

function seqOfState(name: string): number {
  return Number(stateName.exec(basename(name))?.[1] ?? 0);
}

function highestOf(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, seqOfState(name)), 0);
}

/** What an operation finds; `value` where something lies that no vault has. It can't be read, and counts as unreadable. */
async function strangeAs<T>(value: T, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof StrangeEntry) return value;
    throw error;
  }
}

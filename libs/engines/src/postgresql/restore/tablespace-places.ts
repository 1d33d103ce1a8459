/**
 * Plans where the tablespaces of a backup go: DIR.tablespaces/<oid>, or where the caller wants them. A server expects links
 * and refuses folders in their place. Within its own folder its manifest would not know them. A tablespace that the newest
 * backup of a chain does not have is not restored.
 */
import { join, resolve } from 'node:path';
import type { VaultManifest } from '@strongroom/contracts';
import { z } from 'zod';
import { EngineFault } from '../../engine-fault.js';
import { archivesOf } from './archives-of.js';

interface Space {
  oid: string;
  /** Where the server had it. Undefined when the backup does not say. */
  location: string | undefined;
}

const listed = z.array(z.object({ oid: z.string(), location: z.string() }));
/** The place of a tablespace without a folder of its own, which tests of PostgreSQL itself make. */
const inPlace = /^pg_tblspc\//;

export class TablespacePlaces {
  private constructor(
    private readonly places: ReadonlyMap<string, string>,
    /** Folders that must be empty, and that no other restore may hold. */
    readonly folders: string[],
  ) {}

  /**
   * @param wanted the places, by the tablespace's oid or by where the server had it
   * @throws {EngineFault} `restore-target-unusable`
   */
  static plan(
    manifest: VaultManifest,
    directory: string,
    wanted: ReadonlyMap<string, string> = new Map(),
  ): TablespacePlaces {
    const spaces = spacesOf(manifest);
    const beside = `${directory}.tablespaces`;
    const chosen = new Map<string, string>();
    for (const [old, path] of wanted) {
      const space = spaces.find(({ oid, location }) => oid === old || location === old.replace(/(?<=.)\/+$/, ''));
      if (!space) throw unusable(`The backup has no tablespace ${old}: ${known(spaces)}.`);
      if (inPlace.test(space.location ?? ''))
        throw unusable(`Tablespace ${space.oid} lies within the server's folder.`);
      if (chosen.has(space.oid)) throw unusable(`Tablespace ${space.oid}, ${space.location}, was given two places.`);
      chosen.set(space.oid, resolve(path));
    }
    const unchosen = spaces.some(({ oid, location }) => !chosen.has(oid) && !inPlace.test(location ?? ''));
    const folders = [...chosen.values(), ...(unchosen ? [beside] : [])];
    refuseOverlaps([directory, ...folders]);
    const places = new Map(spaces.map(({ oid }) => [oid, chosen.get(oid) ?? join(beside, oid)]));
    return new TablespacePlaces(places, folders);
  }

  /** Undefined for a tablespace that the newest backup does not have. */
  placeOf(oid: string): string | undefined {
    return this.places.get(oid);
  }
}

function spacesOf(manifest: VaultManifest): Space[] {
  const said = listed.safeParse(manifest.engine.tablespaces).data ?? [];
  const oids = archivesOf(manifest).flatMap(({ oid }) => oid ?? []);
  return oids.map((oid) => ({ oid, location: said.find((space) => space.oid === oid)?.location }));
}

function known(spaces: readonly Space[]): string {
  if (spaces.length === 0) return 'it has none';
  return `it has ${spaces.map(({ oid, location }) => (location === undefined ? oid : `${oid} (${location})`)).join(', ')}`;
}

/** Refuses folders that are the same, or of which one lies in the other. */
function refuseOverlaps(folders: readonly string[]): void {
  for (const [index, folder] of folders.entries()) {
    const other = folders.find((one, at) => at !== index && `${folder}/`.startsWith(`${one}/`));
    if (other === folder) throw unusable(`${folder} was given twice: each tablespace needs a folder of its own.`);
    if (other !== undefined) throw unusable(`${folder} lies in ${other}: each tablespace needs a folder apart.`);
  }
}

function unusable(why: string): EngineFault {
  return new EngineFault('restore-target-unusable', why);
}

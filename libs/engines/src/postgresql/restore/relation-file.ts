/** Tells by the name of a file in a data folder which part of which relation it is. Source: PostgreSQL, "Database File Layout". */
export interface RelationFile {
  tablespaceOid: number;
  /** 0 for a relation that all databases share. */
  databaseOid: number;
  relation: number;
  /** 0 main, 1 free space map, 2 visibility map, 3 initial. */
  fork: number;
  /** The number of the segment, from 0 on. */
  segment: number;
}

const inData = /^base\/(\d{1,10})\/([^/]+)$/;
const shared = /^global\/([^/]+)$/;
const inTablespace = /^pg_tblspc\/(\d{1,10})\/[^/]+\/(\d{1,10})\/([^/]+)$/;
const name = /^(\d{1,10})(?:_(fsm|vm|init))?(?:\.([1-9]\d{0,6}))?$/;
export const visibilityMapFork = 2;
const forks: Readonly<Record<string, number>> = { fsm: 1, vm: visibilityMapFork, init: 3 };
/** The oids of the tablespaces that every server has. */
const defaultTablespace = 1663;
const globalTablespace = 1664;

/** Undefined for a file that is no relation's. */
export function relationFileOf(path: string): RelationFile | undefined {
  const place = placeOf(path);
  const [, relation, fork, segment = '0'] = name.exec(place?.file ?? '') ?? [];
  if (!place || relation === undefined) return undefined;
  const { tablespaceOid, databaseOid } = place;
  return {
    tablespaceOid,
    databaseOid,
    relation: Number(relation),
    fork: fork === undefined ? 0 : (forks[fork] ?? 0),
    segment: Number(segment),
  };
}

function placeOf(path: string): { tablespaceOid: number; databaseOid: number; file: string } | undefined {
  const [, database, file] = inData.exec(path) ?? [];
  if (file !== undefined) return { tablespaceOid: defaultTablespace, databaseOid: Number(database), file };
  const [, ofAll] = shared.exec(path) ?? [];
  if (ofAll !== undefined) return { tablespaceOid: globalTablespace, databaseOid: 0, file: ofAll };
  const [, space, inSpace, there] = inTablespace.exec(path) ?? [];
  if (there === undefined) return undefined;
  return { tablespaceOid: Number(space), databaseOid: Number(inSpace), file: there };
}

const ofIncremental =
  /^((?:base\/\d+|global|pg_tblspc\/\d+\/[^/]+\/\d+)\/)INCREMENTAL\.(\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?)$/;

/** The file that an incremental one changes: `base/5/INCREMENTAL.1259.1` changes `base/5/1259.1`. Undefined for a whole file. */
export function relationOf(path: string): string | undefined {
  const [, folder, file] = ofIncremental.exec(path) ?? [];
  return folder === undefined ? undefined : `${folder}${file}`;
}

/** The name under which an incremental backup has the changes of a file. */
export function changesOf(path: string): string {
  const at = path.lastIndexOf('/') + 1;
  return `${path.slice(0, at)}INCREMENTAL.${path.slice(at)}`;
}

/**
 * Backups as the text of the API's JSON. One statement tells whether the views are up to date and gives the page. It writes the backups
 * about which there is no more to say: those that are complete, with all of their copies. Every other one has no text, and the gateway
 * writes it.
 */
import { type BackupResource, type CopyResource, datastoreType } from '@strongroom/contracts';
import { boundFor, prepared } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { BackupFilter } from './backups.js';
import { escapedText, objectText, orNull, plainText, utcText } from './json-text.js';
import type { PageRequest } from './view.js';
import { stateColumns, viewState } from './view-state.js';

/** Stands for the id of the datastore's version, which the gateway computes. JSON has no such character in it. */
export const versionIdPlace = '\u0001';

/** What the texts hold that the gateway knows. */
export interface BackupWords {
  /** `full_because` of a backup that was planned as a full one, as JSON, by what has triggered it. */
  planned: Readonly<Record<string, BackupResource['full_because']>>;
  /** For how long a completed backup of the account is kept in any case; 0 for no time. */
  minimumMs: number;
}

const beginning = `from backup_view b where b.account_id = $1 and b.status not in ('MARKED', 'DELETING')`;

/** The copy in the row `c`, which is complete. */
const textOfCopy = objectText<CopyResource>({
  id: plainText('c.id'),
  region: escapedText('c.region'),
  source_region: escapedText('c.source_region'),
  status: `'"COMPLETED"'`,
  progress: `'100'`,
  attempt: 'c.attempt',
  size_bytes: 'c.size_bytes',
  checksum: escapedText('c.sha256'),
  verified: `'true'`,
  locationRef: locationText('c'),
  fault: `'null'`,
  retry_at: `'null'`,
  created: utcText('c.created_at'),
  updated: utcText('c.updated_at'),
  started: orNull(utcText('c.started_at')),
  completed: utcText('c.ended_at'),
  waits_for: `'null'`,
});

/** The backup in the row `b`, which is as `settled` says. */
const textOfBackup = objectText<BackupResource>({
  id: plainText('b.id'),
  name: escapedText('b.name'),
  description: orNull(escapedText('b.description')),
  status: `'"COMPLETED"'`,
  created: utcText('b.created_at'),
  updated: utcText('b.updated_at'),
  instance_id: plainText('b.instance_id'),
  source: objectText<BackupResource['source']>({ id: plainText('b.instance_id'), type: `'"instance"'` }),
  parent_id: orNull(`case when b.type <> 'full' then ${plainText('b.parent_id')} end`),
  size: `trim_scale(b.size_bytes / 1000000000::numeric)`,
  size_bytes: 'b.size_bytes',
  locationRef: locationText('b'),
  datastore: objectText<BackupResource['datastore']>({
    type: escapedText('b.datastore_type'),
    version: escapedText('b.datastore_version'),
    version_id: `('"' || chr(1) || '"')`,
  }),
  is_automated: `case when b.schedule_id is null then '0' else '1' end`,
  type: plainText('b.type'),
  schedule_id: orNull(plainText('b.schedule_id')),
  checksum: escapedText('b.sha256'),
  made_full: `'null'`,
  full_because: `case when b.type = 'full' then ($4::json -> b.trigger)::text else 'null' end`,
  lineage: orNull(plainText('b.lineage')),
  another_server: `'null'`,
  warnings: `'[]'`,
  progress: `'100'`,
  attempt: 'b.attempt',
  fault: `'null'`,
  retry_at: `'null'`,
  retry_until: `'null'`,
  failed_attempts: `'[]'`,
  delays: `'[]'`,
  not_deleted_because: `'null'`,
  deleted: `'null'`,
  hold: `'null'`,
  keep_until: `case when $5::float8 > 0 then ${utcText(`(b.ended_at + $5::float8 * interval '1 millisecond')`)} else 'null' end`,
  started: orNull(utcText('b.started_at')),
  completed: utcText('b.ended_at'),
  copies: `'[' || coalesce(copies.items, '') || ']'`,
});

function locationText(row: string): string {
  return escapedText(`'strongroom://' || ${row}.region || '/' || nullif(${row}.location, '')`);
}

const settled = `b.status = 'COMPLETED' and b.sha256 is not null
  and b.fault is null and b.made_full is null and b.another_server is null and b.put_off is null and b.hold is null
  and b.facts->'warnings' is null and b.failed_attempts = '[]' and b.delays = '[]' and b.retry_at is null and b.retry_until is null
  and copies.are_complete and b.copy_to <@ (copies.regions || b.region)`;

const last = { createdAt: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

const pages = z.tuple([viewState.extend({ is_known: z.boolean() })], z.unknown()).transform(([state]) => state);
/** The id is null in the one row that tells that there is no backup. */
const items = z.array(
  z.object({
    id: z.string().nullable(),
    type: datastoreType.nullable(),
    version: z.string().nullable(),
    text: z.string().nullable(),
  }),
);

/** One backup of a page. Its text is null when the gateway has to write it. */
export interface TextOfBackup {
  id: string;
  datastore: { type: z.infer<typeof datastoreType>; version: string };
  text: string | null;
}

export class BackupTexts {
  constructor(private readonly dataSource: DataSource) {}

  /** @returns with the state of the views, the page, newest first; undefined when the marker is the id of no backup in the list */
  async page(
    accountId: string,
    { limit, marker, instanceId, among, status, datastoreType: engine }: PageRequest & Omit<BackupFilter, 'isDeleted'>,
    { planned, minimumMs }: BackupWords,
  ) {
    const values: unknown[] = [accountId, marker ?? last.id, limit, JSON.stringify(planned), minimumMs];
    const also = (condition: string, value: unknown) =>
      value === undefined ? '' : `and ${condition.replace('?', `$${values.push(value)}`)}`;
    const reached = also('b.instance_id = any(?::uuid[])', among);
    const wanted = [
      also('b.instance_id = ?', instanceId),
      also('b.status = ?', status),
      also('b.datastore_type = ?', engine),
    ].join(' ');
    const found = await prepared(this.dataSource, pageOfBackups(boundFor(limit), reached, wanted), values);
    const state = pages.parse(found);
    if (marker !== undefined && !state.is_known) return { state, found: undefined };
    const backups = items.parse(found).flatMap(({ id, type, version, text }): TextOfBackup[] => {
      return id === null || type === null || version === null ? [] : [{ id, datastore: { type, version }, text }];
    });
    return { state, found: { items: backups.slice(0, limit), more: backups.length > limit } };
  }
}

function pageOfBackups(bound: number, reached: string, wanted: string): string {
  return `
    with marker as materialized (
      select b.created_at, b.id ${beginning} and b.id = $2 ${reached}
    ), page as materialized (
      select * from (
        select b.* ${beginning} ${reached} ${wanted}
          and (b.created_at, b.id) < (
            coalesce((select created_at from marker), '${last.createdAt}'), coalesce((select id from marker), '${last.id}'))
        order by b.account_id, b.created_at desc, b.id desc limit ${bound}
      ) b order by b.account_id, b.created_at desc, b.id desc limit $3::int + 1
    )
    select ${stateColumns('$1')}, exists (select from marker) as is_known,
      b.id, b.datastore_type as type, b.datastore_version as version, case when ${settled} then ${textOfBackup} end as text
    from (select) one left join page b on true left join lateral (
      select coalesce(array_agg(c.region), '{}') as regions,
        coalesce(bool_and(c.status = 'COMPLETED' and c.fault is null and c.region <> b.region), true) as are_complete,
        string_agg(case when c.status = 'COMPLETED' then ${textOfCopy} end, ',' order by c.region collate "C") as items
      from copy_view c where c.backup_id = b.id and c.status <> 'DELETING'
    ) copies on true
    order by b.created_at desc, b.id desc`;
}

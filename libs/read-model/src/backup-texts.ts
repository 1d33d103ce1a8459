/**
 * Backups as the text of the API's JSON. One statement tells whether the views are up to date and gives the page. It writes the backups
 * about which there is no more to say: those that are complete, with all of their copies. Every other one has no text, and the gateway
 * writes it.
 */
import type { BackupResource, CopyResource } from '@strongroom/contracts';
import { boundFor, madeOnce, prepared } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { BackupFilter } from './backups.js';
import { escapedText, objectText, orNull, plainText, utcText } from './json-text.js';
import type { PageRequest } from './view.js';
import { stateColumns, viewState } from './view-state.js';

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
  verified_at: utcText('greatest(c.ended_at, cv.verified_at)'),
  verified_by: verifierText('c', 'cv'),
  state: `'"WHOLE"'`,
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
  whole_in: `array_to_json(array(select region from unnest(copies.regions || b.region) as whole(region) order by region collate "C"))::text`,
  verified_at: utcText('greatest(b.ended_at, bv.verified_at)'),
  verified_by: verifierText('b', 'bv'),
  restore_tests: `'[]'`,
  datastore: objectText<BackupResource['datastore']>({
    type: escapedText('b.datastore_type'),
    version: escapedText('b.datastore_version'),
    // The gateway computes the id.
    version_id: `('"' || chr(1) || ${escapedText("b.datastore_type || ' ' || b.datastore_version")} || chr(1) || '"')`,
  }),
  is_automated: `case when b.schedule_id is null then '0' else '1' end`,
  type: plainText('b.type'),
  schedule_id: orNull(plainText('b.schedule_id')),
  checksum: escapedText('b.sha256'),
  made_full: `'null'`,
  full_because: `case when b.type = 'full' then ($4::json -> b.trigger)::text else 'null' end`,
  lineage: orNull(plainText('b.lineage')),
  another_server: `'null'`,
  encrypted_for: orNull(
    `(select '[' || string_agg(${escapedText('holder.name')}, ',' order by holder.at) || ']' from jsonb_array_elements_text(b.encrypted_for) with ordinality as holder(name, at))`,
  ),
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

/** As `newestOf` says it. */
function verifierText(row: string, verification: string): string {
  const isOfAttempt = `${verification}.verified_at >= least(${row}.started_at, ${row}.ended_at)`;
  return `case when ${isOfAttempt} then ${escapedText(`${verification}.verified_by`)} else '"read"' end`;
}

const settled = `b.status = 'COMPLETED' and b.sha256 is not null
  and b.fault is null and b.made_full is null and b.another_server is null and b.put_off is null and b.hold is null
  and b.facts->'warnings' is null and b.failed_attempts = '[]' and b.delays = '[]' and b.retry_at is null and b.retry_until is null
  and not exists (select from restore_test_view t where t.id = b.id)
  and copies.are_complete and b.copy_to <@ (copies.regions || b.region)`;

const last = { createdAt: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

const pages = z
  .array(
    viewState.extend({
      /** Whether the marker is the id of a backup in the list. */
      is_known: z.boolean(),
      rows: z.int(),
      last: z.string().nullable(),
      /** The ids of those that have no text. */
      unwritten: z.array(z.string()),
      /** The texts with commas between them; null for none. */
      items: z.string().nullable(),
    }),
  )
  .length(1);

/** A page of backups. */
export interface TextOfBackups {
  /** JSON values with commas between them. Places stand in it for what the gateway knows. */
  text: string;
  /** The backups whose places in the text are to be filled by `withBackups`. */
  unwritten: readonly string[];
  last: string | undefined;
  more: boolean;
}

/** What stands around the place of a version's id, and of a backup. JSON has no such characters in it. */
const [aroundVersion, aroundBackup] = ['\u0001', '\u0002'];

/** The text with the ids of versions. @param versionId gives the id of a version, of its engine and its name as JSON */
export function withVersions(text: string, versionId: (engineAndVersion: string) => string): string {
  let filled = '';
  let done = 0;
  for (let at = text.indexOf(aroundVersion); at !== -1; at = text.indexOf(aroundVersion, done)) {
    const end = text.indexOf(aroundVersion, at + 1);
    filled += text.slice(done, at) + versionId(text.slice(at + 1, end));
    done = end + 1;
  }
  return filled + text.slice(done);
}

/** The text with those backups that the database has not written. One that is gone meanwhile is left out. */
export function withBackups(text: string, textOf: (id: string) => string | undefined): string {
  const filled = text.split(aroundBackup).reduce((before, part, at) => {
    if (at % 2 === 0) return before + part;
    const own = textOf(part);
    return own === undefined ? before.replace(/,$/, '') : before + own;
  }, '');
  return filled.startsWith(',') ? filled.slice(1) : filled;
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
    const [row] = pages.parse(found);
    if (!row) throw new TypeError('a select without a from gives one row');
    if (marker !== undefined && !row.is_known) return { state: row, found: undefined };
    const { items, unwritten, last: lastId, rows } = row;
    const page: TextOfBackups = { text: items ?? '', unwritten, last: lastId ?? undefined, more: rows > limit };
    return { state: row, found: page };
  }
}

const pageOfBackups = madeOnce(
  (bound: number, reached: string, wanted: string) => `
    with marker as materialized (
      select b.created_at, b.id ${beginning} and b.id = $2 ${reached}
    ), page as materialized (
      select * from (
        select b.* ${beginning} ${reached} ${wanted}
          and (b.created_at, b.id) < (
            coalesce((select created_at from marker), '${last.createdAt}'), coalesce((select id from marker), '${last.id}'))
        order by b.account_id, b.created_at desc, b.id desc limit ${bound}
      ) b order by b.account_id, b.created_at desc, b.id desc limit $3::int + 1
    ), shown as materialized (
      select b.created_at, b.id, case when ${settled} then ${textOfBackup} end as text
      from (select * from page order by created_at desc, id desc limit $3::int) b cross join lateral (
        select coalesce(array_agg(c.region), '{}') as regions,
          coalesce(bool_and(c.status = 'COMPLETED' and c.fault is null and c.region <> b.region), true) as are_complete,
          string_agg(case when c.status = 'COMPLETED' then ${textOfCopy} end, ',' order by c.region collate "C") as items
        from copy_view c left join verification cv on cv.backup_id = c.backup_id and cv.region = c.region
        where c.backup_id = b.id and c.status <> 'DELETING'
      ) copies left join verification bv on bv.backup_id = b.id and bv.region = b.region
    )
    select ${stateColumns('$1')}, exists (select from marker) as is_known,
      (select count(*)::int from page) as rows,
      (select id from shown order by created_at, id limit 1) as last,
      array(select id::text from shown where text is null) as unwritten,
      (select string_agg(coalesce(text, chr(2) || id || chr(2)), ',' order by created_at desc, id desc) from shown) as items`,
);

/** SQL that follows the chain of a backup in one region. What can be restored from where is told by it alone. */

/** Whether the region holds the bytes of a backup. A backup lies where it was made until a copy is owed to that place. */
const isThere = (backup: string, region: string) =>
  `(${backup}.status = 'COMPLETED' and (k.status = 'COMPLETED' or (k.id is null and ${backup}.region = ${region}))) is true`;

/**
 * The backup and all that it is built on, as the table `chain`, up to the first part that the region does not hold: it holds the backup
 * whole where `is_there` is true of all of them. The times are those in which the bytes came there.
 * @param region SQL that gives its name; the backup is `b`
 */
export const chainIn = (region: string): string => `
  with recursive chain as (
    select b.id, b.type, b.parent_id, ${isThere('b', region)} as is_there,
      coalesce(k.started_at, b.started_at) as started_at, coalesce(k.ended_at, b.ended_at) as ended_at
    from (select) one left join copy_view k on k.backup_id = b.id and k.region = ${region}
    union all
    select p.id, p.type, p.parent_id, ${isThere('p', region)},
      coalesce(k.started_at, p.started_at), coalesce(k.ended_at, p.ended_at)
    from chain c left join backup_view p on p.id = c.parent_id
    left join copy_view k on k.backup_id = p.id and k.region = ${region}
    where c.type = 'incremental' and c.is_there
  )`;

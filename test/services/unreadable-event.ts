/** Writes events as nobody can by the ledger's own way: of no known form, or of a newer version. */
import type { DataSource } from 'typeorm';

/** Adds an event to a stream that has one, past all checks. @param type default: one that needs data, which it does not have */
export async function addEvent(
  dataSource: DataSource,
  stream: string,
  { type = 'BackupStarted', data = {} }: { type?: string; data?: object } = {},
): Promise<void> {
  await dataSource.query(
    `insert into ledger_event (id, stream, version, aggregate, type, account_id, instance_id, at, data, context)
     select gen_random_uuid(), stream, version + 1, aggregate, $2, account_id, instance_id, now(), $3, context
     from ledger_event where stream = $1 order by version desc limit 1`,
    [stream, type, data],
  );
}

/** Takes the newest event of a stream away, as if it had never been written. */
export async function removeNewest(dataSource: DataSource, stream: string): Promise<void> {
  await dataSource.transaction(async (manager) => {
    await manager.query('set local session_replication_role = replica');
    await manager.query('grant delete on ledger_event to current_user');
    await manager.query(
      'delete from ledger_event where stream = $1 and version = (select max(version) from ledger_event where stream = $1)',
      [stream],
    );
    await manager.query('revoke delete on ledger_event from current_user');
  });
}

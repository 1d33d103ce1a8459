/** The kinds and versions of servers that the views of an account show. */
import { type Datastore, datastore } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

export class Datastores {
  constructor(private readonly dataSource: DataSource) {}

  /** Those of the account's instances and backups, each once, in order of type and version. @param among some instances alone. Default: all */
  async ofAccount(accountId: string, among?: readonly string[]): Promise<Datastore[]> {
    const found: unknown = await this.dataSource.query(
      `select datastore_type as type, datastore_version as version from instance_view
       where account_id = $1 and ($2::uuid[] is null or id = any($2))
       union select datastore_type, datastore_version from backup_view
       where account_id = $1 and status not in ('MARKED', 'DELETING') and ($2::uuid[] is null or instance_id = any($2))
       order by type, version`,
      [accountId, among ?? null],
    );
    return z.array(datastore).parse(found);
  }
}

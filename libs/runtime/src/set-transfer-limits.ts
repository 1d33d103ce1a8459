/**
 * What an operator does with the limits of transfers, with the role of the owner: no service may. Each change has all processes look at
 * the limits, as an append does.
 */
import { TransferLimits } from './transfer-limits.js';

const tellAll = `select pg_notify('strongroom_ledger', '')`;

export class SetTransferLimits extends TransferLimits {
  /** @param bytesPerSecond null: no limit, whatever the settings say */
  async set(scope: string, bytesPerSecond: number | null): Promise<void> {
    await this.dataSource.query(
      `with changed as (
         insert into transfer_limit (scope, bytes_per_second) values ($1, $2)
         on conflict (scope) do update set bytes_per_second = excluded.bytes_per_second, set_at = now()
       ) ${tellAll}`,
      [scope, bytesPerSecond],
    );
  }

  /** From now on the settings count again. @returns whether there was anything to unset */
  async unset(scope: string): Promise<boolean> {
    return this.isGone('transfer_limit where scope', scope);
  }

  /** @param atATime how many transfers of a process, from 1 to 1000. null: as many as there are, whatever the settings say */
  async setCap(region: string, atATime: number | null): Promise<void> {
    await this.dataSource.query(
      `with changed as (
         insert into transfer_cap (region, at_a_time) values ($1, $2)
         on conflict (region) do update set at_a_time = excluded.at_a_time, set_at = now()
       ) ${tellAll}`,
      [region, atATime],
    );
  }

  /** From now on the settings count again. @returns whether there was anything to unset */
  async unsetCap(region: string): Promise<boolean> {
    return this.isGone('transfer_cap where region', region);
  }

  /** TypeORM gives the rows of a `select`, and only their number for a `delete`. */
  private async isGone(row: 'transfer_limit where scope' | 'transfer_cap where region', of: string): Promise<boolean> {
    const gone: unknown = await this.dataSource.query(
      `with gone as (delete from ${row} = $1 returning 1) ${tellAll} from gone`,
      [of],
    );
    return Array.isArray(gone) && gone.length > 0;
  }
}

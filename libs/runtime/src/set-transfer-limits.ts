/** What an operator does with the limits of transfers, with the role of the owner: no service may. */
import { TransferLimits } from './transfer-limits.js';

export class SetTransferLimits extends TransferLimits {
  /** @param bytesPerSecond null: no limit, whatever the settings say */
  async set(scope: string, bytesPerSecond: number | null): Promise<void> {
    await this.dataSource.query(
      `insert into transfer_limit (scope, bytes_per_second) values ($1, $2)
       on conflict (scope) do update set bytes_per_second = excluded.bytes_per_second, set_at = now()`,
      [scope, bytesPerSecond],
    );
  }

  /** From now on the settings count again. @returns whether there was anything to unset */
  async unset(scope: string): Promise<boolean> {
    const found: unknown = await this.dataSource.query('select 1 from transfer_limit where scope = $1', [scope]);
    await this.dataSource.query('delete from transfer_limit where scope = $1', [scope]);
    return Array.isArray(found) && found.length > 0;
  }
}

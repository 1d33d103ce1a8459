/**
 * Remembers which vault each region has, as the first process has seen it. So a disk that is not mounted, or another disk in
 * its place, is told apart from a new vault even after a restart.
 */
import type { DataSource } from 'typeorm';
import { z } from 'zod';

const rows = z.array(z.object({ region: z.string(), vault_id: z.string() }));

export class KnownVaults {
  constructor(private readonly dataSource: DataSource) {}

  async vaultIdOf(region: string): Promise<string | undefined> {
    const found: unknown = await this.dataSource.query('select region, vault_id from known_vault where region = $1', [
      region,
    ]);
    return rows.parse(found)[0]?.vault_id;
  }

  /** The regions that have or had a vault, in order. */
  async regions(): Promise<string[]> {
    const found: unknown = await this.dataSource.query('select region, vault_id from known_vault order by region');
    return rows.parse(found).map(({ region }) => region);
  }

  /** @returns the regions that have this vault, and this region's own vault. More than one, or another id, is a mistake */
  async remember({
    region,
    vaultId,
  }: {
    region: string;
    vaultId: string;
  }): Promise<{ region: string; vaultId: string }[]> {
    await this.dataSource.query('insert into known_vault (region, vault_id) values ($1, $2) on conflict do nothing', [
      region,
      vaultId,
    ]);
    const found: unknown = await this.dataSource.query(
      'select region, vault_id from known_vault where region = $1 or vault_id = $2',
      [region, vaultId],
    );
    return rows.parse(found).map((row) => ({ region: row.region, vaultId: row.vault_id }));
  }
}

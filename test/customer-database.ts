/** A customer's PostgreSQL server, with data to back up and a role that may take backups. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { engineFor } from '@strongroom/engines';
import { PostgresServer } from '@strongroom/server-processes';
import pg from 'pg';
import { z } from 'zod';
import type { CustomerServer } from './deployment.js';
import { newData } from './services/new-data.js';

const run = promisify(execFile);
const slotRow = z.object({ slot_name: z.string() });

/** What a backup leaves on its server, as `chainMarkers` names it. */
export const chainMarker = (backupId: string) => engineFor('postgresql').chainMarker(backupId);

export class CustomerDatabase {
  private constructor(
    private readonly folder: string,
    private postgres: PostgresServer,
    readonly server: CustomerServer,
  ) {}

  /** @param megabytes of data, in addition to the server's own 30 or so */
  static async start({ megabytes, settings }: { megabytes: number; settings?: Record<string, string> }) {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-customer-'));
    // When root runs this, PostgreSQL runs as another user, who must be able to enter the folder.
    await chmod(folder, 0o711);
    const directory = join(folder, 'data');
    const password = await newData(directory);
    const postgres = await PostgresServer.start({
      directory,
      password,
      settings: { fsync: 'off', max_wal_size: '4GB', ...settings },
      logFile: join(folder, 'postgres.log'),
    });
    const server = { host: '127.0.0.1', port: postgres.port, user: 'backup', password, tls: 'disable' } as const;
    const customer = new CustomerDatabase(folder, postgres, server);
    await customer.query(`create role backup login replication password '${password}'`);
    // Rows of 1,000 bytes that PostgreSQL does not compress.
    await customer.query('create table ballast (id bigint primary key, filling text not null)');
    await customer.query('alter table ballast alter column filling set storage plain');
    await customer.query(
      `insert into ballast select n, repeat(md5(n::text), 30) from generate_series(1, ${megabytes * 1_000}) as n`,
    );
    return customer;
  }

  /** The URL for the superuser. */
  get password(): string {
    return this.server.password;
  }

  /** Runs a statement as the superuser, in the database postgres. */
  get url(): string {
    return this.postgres.url();
  }

  /** Runs a statement as the superuser, in the database postgres. */
  async query(sql: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: this.postgres.url() });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** What backups have left on the server: replication slots. */
  async chainMarkers(): Promise<string[]> {
    const rows = await this.query(
      "select slot_name::text from pg_replication_slots where slot_name like 'strongroom_chain_%' order by 1",
    );
    return rows.map((row) => slotRow.parse(row).slot_name);
  }

  /** Ends the server at once, as a power cut would. */
  kill(): Promise<void> {
    return this.postgres.kill();
  }

  /** Starts the server again, on the same data and port. */
  async restart(): Promise<void> {
    this.postgres = await this.postgres.restart();
  }

  /**
   * Puts a new, empty server on the port, with the same users. The data of the former server stay.
   * @returns a function that puts the former server back
   */
  async replace(): Promise<() => Promise<void>> {
    const former = this.postgres;
    await former.kill();
    this.postgres = await PostgresServer.start({
      directory: join(this.folder, `data-${randomBytes(4).toString('hex')}`),
      port: this.server.port,
      password: this.server.password,
      settings: { fsync: 'off', summarize_wal: 'on' },
      logFile: join(this.folder, 'postgres.log'),
    });
    await this.query(`create role backup login replication password '${this.server.password}'`);
    return async () => {
      await this.postgres.kill();
      this.postgres = await former.restart();
    };
  }

  /** Keeps the server's storage as it is now. @returns a function that sets the server back to it */
  async snapshot(): Promise<() => Promise<void>> {
    const { dataDirectory } = this.postgres;
    const kept = `${dataDirectory}.kept-${randomBytes(4).toString('hex')}`;
    await this.postgres.stop();
    await run('cp', ['-a', dataDirectory, kept]);
    await this.restart();
    return async () => {
      await this.postgres.stop();
      await rm(dataDirectory, { recursive: true });
      await run('cp', ['-a', kept, dataDirectory]);
      await this.restart();
    };
  }

  /** Makes the server go on with the same data on a new timeline, as a standby does that takes over. */
  async promote(): Promise<void> {
    await this.postgres.stop();
    await writeFile(join(this.postgres.dataDirectory, 'standby.signal'), '');
    await this.restart();
    await this.query('select pg_promote()');
  }

  async stop(): Promise<void> {
    await this.postgres.kill();
    // Its children may still write for a moment.
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20 });
  }
}

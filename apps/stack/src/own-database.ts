/** Makes Strongroom's own database. Its owner is not a superuser, so the rules that protect the ledger apply to it. */
import pg from 'pg';

/** @returns the URL that the services use */
export async function ensureOwnDatabase(serverUrl: string, password: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  // When the server is stopped meanwhile, the query fails. The error of the connection says nothing more.
  client.on('error', () => {});
  await client.connect();
  try {
    const role = await client.query("select 1 from pg_roles where rolname = 'strongroom'");
    if (role.rows.length === 0)
      await client.query(`create role strongroom login password ${client.escapeLiteral(password)}`);
    const database = await client.query("select 1 from pg_database where datname = 'strongroom'");
    if (database.rows.length === 0) await client.query('create database strongroom owner strongroom');
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.username = 'strongroom';
  url.password = password;
  url.pathname = '/strongroom';
  return url.href;
}

/**
 * Makes Strongroom's own database, its owner, and a role for each service. None of them is a superuser, so the rules that protect the
 * ledger apply to all of them.
 */
import { roleOf, type ServiceName, serviceNames } from '@strongroom/database';
import pg from 'pg';

export interface OwnDatabase<T = string> {
  /** Of the owner, who brings the schema up to date. */
  owner: T;
  services: Readonly<Record<ServiceName, T>>;
}

/** @param passwords of the roles @returns the URLs with which the owner and each service reach the database */
export async function ensureOwnDatabase(serverUrl: string, passwords: OwnDatabase): Promise<OwnDatabase> {
  const { api, scheduler, replicator } = passwords.services;
  const client = new pg.Client({ connectionString: serverUrl });
  // When the server is stopped meanwhile, the query fails. The error of the connection says nothing more.
  client.on('error', () => {});
  await client.connect();
  try {
    const ensure = async (role: string, password: string) => {
      const found = await client.query('select 1 from pg_roles where rolname = $1', [role]);
      if (found.rows.length > 0) return;
      await client.query(
        `create role ${client.escapeIdentifier(role)} login password ${client.escapeLiteral(password)}`,
      );
    };
    await ensure('strongroom', passwords.owner);
    for (const service of serviceNames) await ensure(roleOf(service), passwords.services[service]);
    const database = await client.query("select 1 from pg_database where datname = 'strongroom'");
    if (database.rows.length === 0) await client.query('create database strongroom owner strongroom');
  } finally {
    await client.end();
  }
  const urlOf = (role: string, password: string) => {
    const url = new URL(serverUrl);
    url.username = role;
    url.password = password;
    url.pathname = '/strongroom';
    return url.href;
  };
  const services = {
    api: urlOf(roleOf('api'), api),
    scheduler: urlOf(roleOf('scheduler'), scheduler),
    replicator: urlOf(roleOf('replicator'), replicator),
  };
  return { owner: urlOf('strongroom', passwords.owner), services };
}

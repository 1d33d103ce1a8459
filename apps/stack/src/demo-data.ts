/** The demo customer's database: a small shop with some tens of MB of orders, and a role that may take backups. */
import pg from 'pg';

const statements = [
  `create table customer (
     id integer primary key, name text not null, email text not null unique, city text not null, joined_at timestamptz not null)`,
  `insert into customer
     select n,
       (array['Ada','Grace','Linus','Edsger','Barbara','Alan','Radia','Donald'])[1 + n % 8] || ' ' ||
       (array['Berg','Castillo','Dubois','Eriksen','Fischer','Garcia','Haddad','Ivanova','Jensen'])[1 + n % 9],
       'customer' || n || '@example.com',
       (array['Lyon','Oslo','Porto','Quito','Riga','Sofia','Turin','Uppsala'])[1 + n % 8],
       timestamptz '2020-01-01' + n * interval '97 minutes'
     from generate_series(1, 20000) as n`,
  `create table product (id integer primary key, name text not null, price_cents integer not null)`,
  `insert into product
     select n, (array['Lamp','Chair','Table','Shelf','Clock','Mirror'])[1 + n % 6] || ' No. ' || n, 500 + (n * 7919) % 90000
     from generate_series(1, 500) as n`,
  `create table purchase (
     id bigint primary key, customer_id integer not null references customer, product_id integer not null references product,
     quantity integer not null, bought_at timestamptz not null, note text)`,
  `insert into purchase
     select n, 1 + (n * 31) % 20000, 1 + (n * 17) % 500, 1 + n % 4, timestamptz '2024-01-01' + n * interval '3 minutes', md5(n::text)
     from generate_series(1, 300000) as n`,
  'create index purchase_of_customer on purchase (customer_id)',
];

/** Fills an empty server; does nothing to one that has the shop already. */
export async function fillDemo(serverUrl: string, backupPassword: string): Promise<void> {
  const server = new pg.Client({ connectionString: serverUrl });
  await server.connect();
  try {
    const { rows } = await server.query("select 1 from pg_database where datname = 'shop'");
    if (rows.length === 0) await server.query('create database shop');
    const roles = await server.query("select 1 from pg_roles where rolname = 'backup'");
    if (roles.rows.length === 0)
      await server.query(`create role backup login replication password '${backupPassword}'`);
  } finally {
    await server.end();
  }
  const url = new URL(serverUrl);
  url.pathname = '/shop';
  const shop = new pg.Client({ connectionString: url.href });
  await shop.connect();
  try {
    const { rows } = await shop.query("select to_regclass('purchase') is not null as filled");
    if (rows[0]?.filled === true) return;
    // Whole or not at all, so that a start that is cut short is made up for by the next.
    await shop.query('begin');
    for (const statement of statements) await shop.query(statement);
    await shop.query('commit');
  } finally {
    await shop.end();
  }
}

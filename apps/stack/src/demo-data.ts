/** Makes the demo customer's database: a shop with about forty megabytes of orders, and a role that may take backups. */
import pg from 'pg';

const givenNames = [
  'Ada',
  'Amir',
  'Barbara',
  'Chen',
  'Donald',
  'Edsger',
  'Fatima',
  'Grace',
  'Hedy',
  'Ines',
  'Jun',
  'Kofi',
];
const familyNames = [
  'Adeyemi',
  'Berg',
  'Castillo',
  'Dubois',
  'Eriksen',
  'Fischer',
  'Garcia',
  'Haddad',
  'Ivanova',
  'Jensen',
  'Kim',
];
const cities = [
  'Accra',
  'Bergen',
  'Cusco',
  'Dakar',
  'Essen',
  'Fukuoka',
  'Galway',
  'Hobart',
  'Izmir',
  'Lyon',
  'Porto',
  'Quito',
  'Turin',
];
const things = ['Lamp', 'Chair', 'Table', 'Shelf', 'Clock', 'Mirror', 'Bench', 'Vase', 'Rug'];
const materials = ['oak', 'brass', 'linen', 'steel', 'walnut', 'glass', 'wool'];
const states = ['delivered', 'delivered', 'delivered', 'shipped', 'returned'];

const customers = 20_000;
const products = 600;
const orders = 100_000;

/** An SQL expression that takes the members of a list in turn, by a number. */
const oneOf = (list: string[], by: string) => `(array['${list.join("','")}'])[1 + (${by}) % ${list.length}]`;

/** Keys come last, so that they are checked and sorted at once and not row by row. */
const statements = [
  'create table customer (id integer, name text not null, email text not null, city text not null, joined_at timestamptz not null)',
  `insert into customer
     select n, name, lower(replace(name, ' ', '.')) || n || '@example.com', ${oneOf(cities, 'n / 7')},
            timestamptz '2021-01-01' + n * interval '97 minutes'
     from generate_series(1, ${customers}) n,
          lateral (select ${oneOf(givenNames, 'n')} || ' ' || ${oneOf(familyNames, 'n / 5')} as name) as named`,
  'create table product (id integer, name text not null, price numeric(10, 2) not null check (price > 0))',
  `insert into product
     select n, ${oneOf(things, 'n')} || ' of ' || ${oneOf(materials, 'n / 3')} || ', no. ' || n, 5 + (n * 7919) % 90000 / 100.0
     from generate_series(1, ${products}) n`,
  'create table customer_order (id bigint, customer_id integer not null, state text not null, ordered_at timestamptz not null)',
  `insert into customer_order
     select n, 1 + (n::bigint * 7919) % ${customers}, ${oneOf(states, 'n / 11')}, timestamptz '2024-01-01' + n * interval '8 minutes'
     from generate_series(1, ${orders}) n`,
  `create table order_line (order_id bigint, position smallint, product_id integer not null, quantity integer not null,
     price numeric(10, 2) not null)`,
  `insert into order_line
     select n, line, p.id, 1 + (n + line) % 4, p.price
     from generate_series(1, ${orders}) n, generate_series(1, 2) line, product p
     where p.id = 1 + (n * 31 + line * 17) % ${products}`,
  'alter table customer add primary key (id), add unique (email)',
  'alter table product add primary key (id)',
  'alter table customer_order add primary key (id), add foreign key (customer_id) references customer',
  `alter table order_line add primary key (order_id, position), add foreign key (order_id) references customer_order,
     add foreign key (product_id) references product`,
  'create index order_of_customer on customer_order (customer_id, ordered_at)',
  'create index line_of_product on order_line (product_id)',
];

/** Fills an empty server, and calls `onFill` before. It does nothing to a server that has the shop already. */
export async function fillDemo(serverUrl: string, backupPassword: string, onFill: () => void): Promise<void> {
  await on(serverUrl, async (server) => {
    const databases = await server.query("select 1 from pg_database where datname = 'shop'");
    if (databases.rows.length === 0) await server.query('create database shop');
    const roles = await server.query("select 1 from pg_roles where rolname = 'backup'");
    if (roles.rows.length === 0)
      await server.query(`create role backup login replication password ${server.escapeLiteral(backupPassword)}`);
  });
  const url = new URL(serverUrl);
  url.pathname = '/shop';
  await on(url.href, async (shop) => {
    const { rows } = await shop.query("select to_regclass('order_line') is not null as filled");
    if (rows[0]?.filled === true) return;
    onFill();
    // The shop is filled in one transaction. So after a start that was cut short, the next start fills all of it.
    await shop.query('begin');
    for (const statement of statements) await shop.query(statement);
    await shop.query('commit');
    await shop.query('analyze');
  });
}

async function on(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  // When the server is stopped meanwhile, the query fails. The error of the connection says nothing more.
  client.on('error', () => {});
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

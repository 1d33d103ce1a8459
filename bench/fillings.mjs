/** What fills a server for a measurement. */
import { randomBytes } from 'node:crypto';

/** A row has some 2 KB: a tenth of it does not compress, the rest repeats. */
export async function fillWithRows(client, gigabytes) {
  await client.query('create table filling (id bigint primary key, text text not null)');
  await client.query('alter table filling alter column text set storage plain');
  for (let tenth = 0; tenth < gigabytes * 10; tenth += 1) {
    await client.query(
      `insert into filling select n, repeat(md5(n::text), 10) || md5(n::text || 'a') || md5(n::text || 'b') || repeat(md5((n + 1)::text), 18)
       from generate_series(${tenth * 95_000}::bigint, ${(tenth + 1) * 95_000 - 1}::bigint) n`,
    );
  }
}

export async function fillWithRandomBytes(client, gigabytes) {
  await client.query('create table filling (id bigint primary key, bytes bytea not null)');
  await client.query('alter table filling alter column bytes set storage external');
  const mebibyte = 2 ** 20;
  for (let id = 0; id < (gigabytes * 1e9) / mebibyte; id += 1)
    await client.query('insert into filling values ($1, $2)', [id, randomBytes(mebibyte)]);
}

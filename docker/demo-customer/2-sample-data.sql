-- A small web shop of some 55 MB with its indexes. It is filled in one transaction: when the last table is there, all is.
begin;

create table customer (
  id bigint primary key,
  name text not null,
  email text not null unique,
  joined_at timestamptz not null
);

create table product (
  id bigint primary key,
  name text not null,
  price_cents integer not null check (price_cents > 0)
);

create table purchase (
  id bigint primary key,
  customer_id bigint not null,
  product_id bigint not null,
  quantity integer not null check (quantity > 0),
  note text not null,
  bought_at timestamptz not null
);

insert into customer
select n, 'Customer ' || n, 'customer-' || n || '@shop.example', timestamptz '2024-01-01 00:00Z' + n * interval '7 minutes'
from generate_series(1::bigint, 50000) n;

insert into product
select n, 'Product ' || n, 100 + (n * 37) % 20000
from generate_series(1::bigint, 1000) n;

insert into purchase
select n, 1 + (n * 7919) % 50000, 1 + (n * 104729) % 1000, 1 + n % 5, md5(n::text), timestamptz '2025-01-01 00:00Z' + n * interval '45 seconds'
from generate_series(1::bigint, 300000) n;

alter table purchase
  add foreign key (customer_id) references customer,
  add foreign key (product_id) references product;
create index purchase_of_customer on purchase (customer_id, bought_at);

commit;
analyze;

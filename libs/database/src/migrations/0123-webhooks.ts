/**
 * Webhooks: their view, what is sealed of them, how far each of them has come, and what became of the newest deliveries. The views need
 * not be folded anew, because there is no event of a webhook yet.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { installFunctions } from '../functions.js';
import { noWayBack } from '../no-way-back.js';

export class Webhooks1700000000123 implements MigrationInterface {
  static readonly installs = {
    ledger_append: '29719ef3001c70d1713961e682f42177c74578cb55eeb8fc1cf7bbd3ecdff13a',
  };

  async up(run: QueryRunner): Promise<void> {
    await installFunctions(run, Webhooks1700000000123.installs);
    await run.query(`
      create table webhook_view (
        id uuid primary key,
        account_id text not null,
        name text not null,
        origin text not null,
        types text[] not null,
        format text not null,
        enabled boolean not null,
        disabled jsonb,
        created_position bigint not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        version integer not null
      );
      comment on table webhook_view is 'The webhooks of accounts, folded from their events.';
      create index webhook_view_by_account on webhook_view (account_id, id);

      create table webhook_secret (
        secret_id uuid primary key,
        webhook_id uuid not null,
        ciphertext bytea not null,
        stored_at timestamptz not null default now()
      );
      comment on table webhook_secret is 'The URLs and the secrets of webhooks, sealed. The events of a webhook name the one in force.';
      create index webhook_secret_of_webhook on webhook_secret (webhook_id);

      create table webhook_cursor (
        webhook_id uuid primary key,
        account_id text not null,
        position bigint not null,
        next_at timestamptz default now(),
        failures integer not null default 0,
        failing_since timestamptz,
        holder text,
        held_until timestamptz
      );
      comment on table webhook_cursor is 'Up to where the events of its account were delivered to each webhook, and the lease of the process that delivers.';
      comment on column webhook_cursor.next_at is 'When the next delivery may be tried; null while the webhook is disabled.';
      comment on column webhook_cursor.failures is 'How often the delivery of the next event has failed.';
      comment on column webhook_cursor.failing_since is 'Since when nothing was taken; null when the newest delivery was.';

      create table webhook_delivery (
        webhook_id uuid not null,
        event_id uuid not null,
        position bigint not null,
        event_type text not null,
        state text not null,
        attempts integer not null,
        http_status integer,
        fault jsonb,
        duration_ms integer not null,
        first_at timestamptz not null default now(),
        last_at timestamptz not null default now(),
        primary key (webhook_id, event_id)
      );
      comment on table webhook_delivery is 'What became of the newest deliveries of each webhook.';
      create index webhook_delivery_newest on webhook_delivery (webhook_id, position);
    `);
  }

  down = noWayBack;
}

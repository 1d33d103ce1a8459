/** What became of the newest deliveries of each webhook. It is for people to look at: nothing is decided by it. */
import { type DeliveryResource, deliveryResource, type RecordedEvent } from '@strongroom/contracts';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { PageAsked } from '../edge/paging.js';
import { utc } from '../edge/times.js';
import type { SendOutcome } from './sender.js';

/** How many are kept of each webhook. */
export const mostDeliveries = 1_000;

const columns = 'event_id, event_type, state, attempts, http_status, fault, duration_ms, first_at, last_at';
const deliveryRow = deliveryResource
  .omit({ id: true, first_attempt: true, last_attempt: true })
  .extend({ event_id: z.string(), first_at: z.date(), last_at: z.date() })
  .transform(
    ({ event_id: id, first_at, last_at, ...rest }): DeliveryResource => ({
      ...{ id, ...rest, first_attempt: utc(first_at), last_attempt: utc(last_at) },
    }),
  );
const rowsRead = z.array(deliveryRow);

const newestRows = z.array(
  z
    .looseObject({ webhook_id: z.string() })
    .transform((row): [string, DeliveryResource] => [row.webhook_id, deliveryRow.parse(row)]),
);
const places = z.array(z.object({ position: z.coerce.number() }));

export class WebhookDeliveries {
  constructor(private readonly dataSource: DataSource) {}

  async note(
    webhookId: string,
    { id, type, position }: Pick<RecordedEvent, 'id' | 'type' | 'position'>,
    state: DeliveryResource['state'],
    { status, fault, durationMs }: SendOutcome,
  ): Promise<void> {
    await this.dataSource.query(
      `insert into webhook_delivery as d (webhook_id, event_id, position, event_type, state, attempts, http_status, fault, duration_ms)
       values ($1, $2, $3, $4, $5, 1, $6, $7, $8)
       on conflict (webhook_id, event_id) do update set state = excluded.state, attempts = d.attempts + 1,
         http_status = excluded.http_status, fault = excluded.fault, duration_ms = excluded.duration_ms, last_at = now()`,
      [webhookId, id, position, type, state, status, fault && JSON.stringify(fault), durationMs],
    );
  }

  /** A page, those of the newest events first. @returns undefined when the marker is the id of no delivery */
  async page(
    webhookId: string,
    { limit, marker }: PageAsked,
  ): Promise<{ items: DeliveryResource[]; more: boolean } | undefined> {
    const before = marker === undefined ? Number.MAX_SAFE_INTEGER : await this.placeOf(webhookId, marker);
    if (before === undefined) return undefined;
    const rows: unknown = await this.dataSource.query(
      `select ${columns} from webhook_delivery
       where webhook_id = $1 and position < $2 order by position desc limit $3`,
      [webhookId, before, limit + 1],
    );
    const found = rowsRead.parse(rows);
    return { items: found.slice(0, limit), more: found.length > limit };
  }

  /** The delivery of the newest event of each of these webhooks, by the id of the webhook. */
  async newestOf(webhookIds: readonly string[]): Promise<ReadonlyMap<string, DeliveryResource>> {
    const rows: unknown = await this.dataSource.query(
      `select w.id as webhook_id, d.* from unnest($1::uuid[]) as w(id) cross join lateral (
         select ${columns} from webhook_delivery where webhook_id = w.id order by position desc limit 1
       ) d`,
      [webhookIds],
    );
    return new Map(newestRows.parse(rows));
  }

  /** Forgets all but the newest. */
  async trim(webhookId: string): Promise<void> {
    await this.dataSource.query(
      `delete from webhook_delivery where webhook_id = $1 and position <= (
         select position from webhook_delivery where webhook_id = $1 order by position desc offset $2 limit 1)`,
      [webhookId, mostDeliveries],
    );
  }

  async forget(webhookId: string): Promise<void> {
    await this.dataSource.query('delete from webhook_delivery where webhook_id = $1', [webhookId]);
  }

  private async placeOf(webhookId: string, eventId: string): Promise<number | undefined> {
    const rows: unknown = await this.dataSource.query(
      'select position from webhook_delivery where webhook_id = $1 and event_id = $2',
      [webhookId, eventId],
    );
    return places.parse(rows)[0]?.position;
  }
}

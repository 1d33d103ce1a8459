/** The view of an account's webhooks. What is secret of them is in no view. */
import type { RecordedEvent, WebhookFormat } from '@strongroom/contracts';
import { type DataSource, EntitySchema, MoreThan } from 'typeorm';
import { bigintAsNumber, cut, type Page, type PageRequest, type View, type ViewRow } from './view.js';

export interface WebhookRow extends ViewRow {
  name: string;
  origin: string;
  /** Empty for those that the format has by default. */
  types: string[];
  format: WebhookFormat;
  enabled: boolean;
  /** Why Strongroom has disabled it, and when; null unless it has. */
  disabled: { code: string; reason: string; at: string } | null;
  /** The place of its creation in the ledger: it gets what comes later. */
  createdPosition: number;
  createdAt: Date;
  updatedAt: Date;
}

export const webhookTable = new EntitySchema<WebhookRow>({
  name: 'WebhookView',
  tableName: 'webhook_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    name: { type: 'text' },
    origin: { type: 'text' },
    types: { type: 'text', array: true },
    format: { type: 'text' },
    enabled: { type: 'boolean' },
    disabled: { type: 'jsonb', nullable: true },
    createdPosition: { type: 'bigint', name: 'created_position', transformer: bigintAsNumber },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

export const webhookView: View<'webhook', WebhookRow> = {
  aggregate: 'webhook',
  table: webhookTable,
  fold: {
    WebhookCreated: (_, event) => ({
      ...defined(event),
      disabled: null,
      createdPosition: event.position,
      createdAt: new Date(event.at),
    }),
    WebhookUpdated: (row, event) =>
      row && { ...row, ...defined(event), disabled: event.data.enabled ? null : row.disabled },
    WebhookSecretRotated: (row, event) => row && { ...row, ...changed(event) },
    WebhookDisabled: (row, event) => {
      const { at, data } = event;
      return (
        row && { ...row, ...changed(event), enabled: false, disabled: { code: data.code, reason: data.reason, at } }
      );
    },
    WebhookDeleted: () => undefined,
  },
};

function defined(event: RecordedEvent<'WebhookCreated'> | RecordedEvent<'WebhookUpdated'>) {
  const { webhookId, name, origin, types, format, enabled } = event.data;
  return { id: webhookId, accountId: event.accountId, name, origin, types, format, enabled, ...changed(event) };
}

function changed({ at, version }: RecordedEvent) {
  return { updatedAt: new Date(at), version };
}

export class Webhooks {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<WebhookRow | undefined> {
    const row = await this.dataSource.manager.findOneBy(webhookTable, { id, accountId });
    return row ?? undefined;
  }

  /** The page after the marker, in order of id. */
  async page(accountId: string, { limit, marker }: PageRequest): Promise<Page<WebhookRow>> {
    const where = { accountId, ...(marker === undefined ? {} : { id: MoreThan(marker) }) };
    const rows = await this.dataSource.manager.find(webhookTable, { where, order: { id: 'asc' }, take: limit + 1 });
    return cut(rows, limit);
  }

  /** The next webhooks of all accounts to which something is to be sent, in order of id. @param after undefined at the start */
  async enabled(after: string | undefined, limit: number): Promise<WebhookRow[]> {
    const where = { enabled: true, ...(after === undefined ? {} : { id: MoreThan(after) }) };
    return this.dataSource.manager.find(webhookTable, { where, order: { id: 'asc' }, take: limit });
  }
}

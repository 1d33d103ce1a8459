/** The registered instances of an account. */
import type { DatastoreType, Endpoint } from '@strongroom/contracts';
import { type DataSource, EntitySchema, MoreThan } from 'typeorm';
import { cut, type Page, type PageRequest, type View, type ViewRow } from './view.js';

export interface InstanceRow extends ViewRow {
  name: string;
  datastoreType: DatastoreType;
  datastoreVersion: string;
  endpoint: Endpoint;
  createdAt: Date;
  updatedAt: Date;
}

export const instanceTable = new EntitySchema<InstanceRow>({
  name: 'InstanceView',
  tableName: 'instance_view',
  columns: {
    id: { type: 'uuid', primary: true },
    accountId: { type: 'text', name: 'account_id' },
    name: { type: 'text' },
    datastoreType: { type: 'text', name: 'datastore_type' },
    datastoreVersion: { type: 'text', name: 'datastore_version' },
    endpoint: { type: 'jsonb' },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

export const instanceView: View<'instance', InstanceRow> = {
  aggregate: 'instance',
  table: instanceTable,
  fold: {
    InstanceRegistered: (_, { accountId, at, version, data }) => ({
      id: data.instanceId,
      accountId,
      name: data.name,
      datastoreType: data.datastore.type,
      datastoreVersion: data.datastore.version,
      endpoint: data.endpoint,
      createdAt: new Date(at),
      updatedAt: new Date(at),
      version,
    }),
    InstanceForgotten: () => undefined,
  },
};

export class Instances {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<InstanceRow | undefined> {
    return (await this.dataSource.manager.findOneBy(instanceTable, { accountId, id })) ?? undefined;
  }

  /** In order of id, after the marker. */
  async page(accountId: string, { limit, marker }: PageRequest): Promise<Page<InstanceRow>> {
    const rows = await this.dataSource.manager.find(instanceTable, {
      where: { accountId, ...(marker === undefined ? {} : { id: MoreThan(marker) }) },
      order: { id: 'asc' },
      take: limit + 1,
    });
    return cut(rows, limit);
  }
}

/** The view of an account's instances. */
import type { DatastoreType, Endpoint, EventData, RecordedEvent } from '@strongroom/contracts';
import { type DataSource, EntitySchema, In, MoreThan } from 'typeorm';
import type { FaultOfRow } from './backup-row.js';
import { changing, cut, type Page, type PageRequest, type View, type ViewRow } from './view.js';

/** Whether there is a server. In `BUILD` it is still to be built from a backup, and in `ERROR` that has failed. */
export type InstanceStatus = 'BUILD' | 'ACTIVE' | 'ERROR';

export interface InstanceRow extends ViewRow {
  name: string;
  datastoreType: DatastoreType;
  datastoreVersion: string;
  status: InstanceStatus;
  /** Null until the server is built. */
  endpoint: Endpoint | null;
  /** Why the server could not be built, is not built yet, or does not run. */
  fault: FaultOfRow | null;
  /** The lineages that were accepted, each with those that it replaces. */
  accepted: { lineage: string; inPlaceOf: string[] }[];
  createdAt: Date;
  updatedAt: Date;
}

/** For each lineage that was accepted on the instance, those that it replaces. */
export function acceptedOn({ accepted }: Pick<InstanceRow, 'accepted'>): Map<string, readonly string[]> {
  return new Map(accepted.map(({ lineage, inPlaceOf }) => [lineage, inPlaceOf]));
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
    status: { type: 'text' },
    endpoint: { type: 'jsonb', nullable: true },
    fault: { type: 'jsonb', nullable: true },
    accepted: { type: 'jsonb', name: 'accepted_lineages' },
    createdAt: { type: 'timestamptz', name: 'created_at' },
    updatedAt: { type: 'timestamptz', name: 'updated_at' },
    version: { type: 'integer' },
  },
});

const change = changing<InstanceRow>();

function began({
  accountId,
  at,
  version,
  data,
}: RecordedEvent<'InstanceRegistered'> | RecordedEvent<'InstanceBuildRequested'>) {
  return {
    id: data.instanceId,
    accountId,
    name: data.name,
    datastoreType: data.datastore.type,
    datastoreVersion: data.datastore.version,
    fault: null,
    accepted: [],
    createdAt: new Date(at),
    updatedAt: new Date(at),
    version,
  };
}

function acceptedBy({ lineage, inPlaceOf }: EventData<'LineageAccepted'>) {
  return { lineage, inPlaceOf };
}

export const instanceView: View<'instance', InstanceRow> = {
  aggregate: 'instance',
  table: instanceTable,
  fold: {
    InstanceRegistered: (_, event) => ({ ...began(event), status: 'ACTIVE', endpoint: event.data.endpoint }),
    InstanceBuildRequested: (_, event) => ({ ...began(event), status: 'BUILD', endpoint: null }),
    InstanceBuilt: change<'InstanceBuilt'>(({ data: { endpoint } }) => ({ status: 'ACTIVE', endpoint, fault: null })),
    InstanceBuildAttemptFailed: change<'InstanceBuildAttemptFailed'>(({ data: { code, reason } }) => ({
      fault: { code, reason },
    })),
    InstanceServerDown: change<'InstanceServerDown'>(({ data: { code, reason } }) => ({ fault: { code, reason } })),
    InstanceServerUp: change<'InstanceServerUp'>(() => ({ fault: null })),
    InstanceBuildFailed: change<'InstanceBuildFailed'>(({ data: { code, reason } }) => ({
      status: 'ERROR',
      fault: { code, reason },
    })),
    InstanceChanged: change<'InstanceChanged'>(({ data: { name, endpoint } }) => ({ name, endpoint })),
    InstanceVersionFound: change<'InstanceVersionFound'>(({ data: { datastore } }) => ({
      datastoreVersion: datastore.version,
    })),
    LineageAccepted: (row, event) =>
      row && {
        ...row,
        accepted: [...row.accepted.filter(({ lineage }) => lineage !== event.data.lineage), acceptedBy(event.data)],
        updatedAt: new Date(event.at),
        version: event.version,
      },
    InstanceForgotten: () => undefined,
  },
};

export class Instances {
  constructor(private readonly dataSource: DataSource) {}

  async find(accountId: string, id: string): Promise<InstanceRow | undefined> {
    return (await this.dataSource.manager.findOneBy(instanceTable, { accountId, id })) ?? undefined;
  }

  /** The page after the marker, in order of id. @param page `among` names the only instances that are asked for. Default: all */
  async page(
    accountId: string,
    { limit, marker, among }: PageRequest & { among?: readonly string[] | undefined },
  ): Promise<Page<InstanceRow>> {
    const rows = await this.dataSource.manager.find(instanceTable, {
      where: {
        accountId,
        ...(marker !== undefined && among === undefined && { id: MoreThan(marker) }),
        ...(among !== undefined && { id: In(among.filter((id) => marker === undefined || id > marker)) }),
      },
      order: { id: 'asc' },
      take: limit + 1,
    });
    return cut(rows, limit);
  }
}

/** Instances as the API shows them. What is read is up to date with every event appended before the call. */
import { BlockList, isIP } from 'node:net';
import { Inject } from '@nestjs/common';
import type {
  Endpoint,
  InstanceResource,
  LineageResource,
  RecordedEvent,
  ScheduleResource,
} from '@strongroom/contracts';
import {
  Backups,
  type InstanceRow,
  Instances,
  instanceView,
  type LineageRow,
  Lineages,
  type Page,
  type PageRequest,
  Views,
} from '@strongroom/read-model';
import { Clock } from '@strongroom/runtime';
import { anotherServerResource } from '../backups/resource.js';
import { type Reach, reaches } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import { madeRow } from '../edge/made.js';
import { utc, utcWithoutZone } from '../edge/times.js';
import { ScheduleResources } from '../schedules/resource.js';
import { warningsOfCertificates } from './connection-change.js';

export class InstanceResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Instances) private readonly instances: Instances,
    @Inject(Lineages) private readonly lineages: Lineages,
    @Inject(Backups) private readonly backups: Backups,
    @Inject(ScheduleResources) private readonly schedules: ScheduleResources,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** @throws {HttpFault} itemNotFound */
  async find(reach: Reach, id: string): Promise<InstanceRow> {
    const { accountId } = reach;
    await this.views.catchUp(accountId);
    const row = await this.instances.find(accountId, id);
    if (!row || !reaches(reach, row.id)) throw notFound('Instance', id);
    return row;
  }

  /** A new instance, as the events that made it say. Nothing is read, so nothing can fail. */
  made(events: readonly RecordedEvent[]): { instance: InstanceResource } {
    const nothingYet = { isBackedUp: false, hasAnswered: false };
    const row = madeRow(instanceView, events);
    return { instance: instanceResource(row, nothingYet, null, [], row.createdAt) };
  }

  async of(row: InstanceRow): Promise<{ instance: InstanceResource }> {
    const shown = await this.showing(row.accountId, [row]);
    return { instance: shown(row) };
  }

  /** @returns undefined when the marker is the id of no instance */
  async page(reach: Reach, page: PageRequest): Promise<Page<InstanceResource> | undefined> {
    const { accountId, instances } = reach;
    await this.views.catchUp(accountId);
    if (page.marker !== undefined) {
      const last = await this.instances.find(accountId, page.marker);
      if (!last || !reaches(reach, last.id)) return undefined;
    }
    const { items, more } = await this.instances.page(accountId, { ...page, among: instances });
    return { items: items.map(await this.showing(accountId, items)), more };
  }

  /** The ids of the lineages of which there is a backup. */
  async lineagesOf(instanceId: string): Promise<string[]> {
    return (await this.lineages.ofInstances([instanceId])).map(({ id }) => id);
  }

  /** Whether a backup of the instance is running. */
  async isBackedUp(instanceId: string): Promise<boolean> {
    return (await this.backups.runningInstances([instanceId])).has(instanceId);
  }

  /** Reads what is shown with the rows, for all of them at once, and returns a function that shows one of them. */
  private async showing(
    accountId: string,
    rows: readonly InstanceRow[],
  ): Promise<(row: InstanceRow) => InstanceResource> {
    const ids = rows.map(({ id }) => id);
    const running = await this.backups.runningInstances(ids);
    const answered = await this.backups.instancesThatAnswered(ids);
    const schedules = await this.schedules.ofInstances(accountId, ids);
    const lineages = await this.lineages.ofInstances(ids);
    return (row) =>
      instanceResource(
        row,
        { isBackedUp: running.has(row.id), hasAnswered: answered.has(row.id) },
        schedules.get(row.id) ?? null,
        lineages.filter(({ instanceId }) => instanceId === row.id),
        this.clock.now(),
      );
  }
}

function instanceResource(
  row: InstanceRow,
  { isBackedUp, hasAnswered }: { isBackedUp: boolean; hasAnswered: boolean },
  schedule: ScheduleResource | null,
  lineages: LineageRow[],
  now: Date,
): InstanceResource {
  const shown = lineages.map((lineage) => lineageResource(lineage, row));
  const addresses = addressesOf(row.endpoint?.host);
  return {
    id: row.id,
    name: row.name,
    status: isBackedUp ? 'BACKUP' : row.status,
    operating_status: operatingStatus(row, hasAnswered),
    ...(row.fault && {
      fault: { code: row.fault.code, message: row.fault.reason, created: utcWithoutZone(row.updatedAt) },
    }),
    datastore: { type: row.datastoreType, version: row.datastoreVersion },
    // Known clients read flavor and volume of every instance; a registered server has neither.
    flavor: { id: '0', links: [] },
    volume: { size: 0 },
    hostname: row.endpoint?.host ?? null,
    port: row.endpoint?.port ?? null,
    connection: row.endpoint && connectionResource(row.endpoint),
    ip: addresses.map(({ address }) => address),
    addresses,
    created: utcWithoutZone(row.createdAt),
    updated: utcWithoutZone(row.updatedAt),
    schedule,
    lineages: shown,
    warning: warningOf(shown, row.endpoint, now),
    links: [],
  };
}

function operatingStatus({ status }: InstanceRow, hasAnswered: boolean): InstanceResource['operating_status'] {
  if (status === 'BUILD') return 'BUILDING';
  if (status === 'ERROR') return 'FAILED';
  return hasAnswered ? 'HEALTHY' : 'UNKNOWN';
}

/** The addresses that only hosts of the same network reach, by RFC 1918, 4193, 3927, 4291 and 6598. */
const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv6');
}

/** The address of the server, when its host is one. */
function addressesOf(host = ''): InstanceResource['addresses'] {
  const version = isIP(host);
  if (version === 0) return [];
  const [address = ''] = host.split('%');
  const isPrivate = privateAddresses.check(address, version === 4 ? 'ipv4' : 'ipv6');
  return [{ type: isPrivate ? 'private' : 'public', address: host }];
}

function lineageResource(lineage: LineageRow, { accepted }: InstanceRow): LineageResource {
  return {
    id: lineage.id,
    backups: lineage.backups,
    newest_backup_id: lineage.newestBackupId,
    first_completed: utc(lineage.firstCompletedAt),
    last_completed: utc(lineage.lastCompletedAt),
    current: lineage.isNewest,
    in_place_of: accepted.find((each) => each.lineage === lineage.id)?.inPlaceOf ?? [],
    another_server: lineage.anotherServer && anotherServerResource(lineage.anotherServer),
  };
}

/** Its fields have one order, wherever the endpoint comes from: an answer that is given again has the same bytes. */
function connectionResource(endpoint: Endpoint): NonNullable<InstanceResource['connection']> {
  const { host, port, user, database, tls, caCertificate = null, clientCertificate = null } = endpoint;
  return { host, port, user, database, tls, ca_certificate: caCertificate, client_certificate: clientCertificate };
}

function warningOf(lineages: LineageResource[], endpoint: Endpoint | null, now: Date): string | null {
  const ofServer = warningOfServer(lineages);
  const all = [...(ofServer ? [ofServer] : []), ...(endpoint ? warningsOfCertificates(endpoint, now) : [])];
  return all.length > 0 ? all.join(' ') : null;
}

function warningOfServer([current, ...others]: LineageResource[]): string | null {
  if (!current?.current) return null;
  const apart = others.filter(({ id }) => !current.in_place_of.includes(id)).map(({ id }) => id);
  if (apart.length === 0) return null;
  return `The server behind the instance is another one than that of lineage ${apart.join(', ')}, of which there are backups. Retention counts each lineage apart. If this server, lineage ${current.id}, is the one that is meant, accept-lineage lets the others' backups go in time; if it is not, mend the address.`;
}

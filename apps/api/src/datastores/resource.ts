/**
 * Datastores as the API shows them: the kinds of database servers that there is an engine for, and the versions of each. An id
 * is made from the name, so that it is the same in every process and for ever.
 */
import { Inject } from '@nestjs/common';
import type { Datastore, DatastoreResource, DatastoreVersionResource } from '@strongroom/contracts';
import { accountPath, getDatastoresId, getDatastoresVersionsId, pathOf } from '@strongroom/contracts';
import { allEngines, type EngineWithoutBackups } from '@strongroom/engines';
import { Datastores, Views } from '@strongroom/read-model';
import { v5 } from 'uuid';
import type { Reach } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';

const namespace = '3c1e9c1c-2a55-5a86-8a5c-6d6a2f6d2b0f';

/** Whose datastores are shown, and the address by which the client reaches the service. */
export interface DatastoreReader extends Reach {
  origin: string;
}

/** The id of a version of a datastore. */
export function versionId({ type, version }: Datastore): string {
  return v5(`${type} ${version}`, namespace);
}

/** So many versions are remembered; there are far fewer. */
const mostVersions = 1_000;
const versionIds = new Map<string, string>();

/** As `versionId`, for lists. @param typeAndVersion as JSON: the type, a space and the version */
export function versionIdOf(typeAndVersion: string): string {
  const known = versionIds.get(typeAndVersion);
  if (known !== undefined) return known;
  const id = v5(String(JSON.parse(typeAndVersion)), namespace);
  if (versionIds.size >= mostVersions) versionIds.clear();
  versionIds.set(typeAndVersion, id);
  return id;
}

function datastoreId(type: string): string {
  return v5(type, namespace);
}

/** The engine of the datastore with this id or name; undefined when there is none. */
export function engineOfDatastore(idOrName: string): EngineWithoutBackups | undefined {
  return allEngines.find(({ datastoreType }) => idOrName === datastoreType || idOrName === datastoreId(datastoreType));
}

export class DatastoreResources {
  constructor(
    @Inject(Views) private readonly views: Views,
    @Inject(Datastores) private readonly datastores: Datastores,
  ) {}

  async all(reader: DatastoreReader): Promise<DatastoreResource[]> {
    const versions = await this.versionsOf(allEngines, reader);
    return allEngines.map((engine) => datastoreResource(engine, versions.get(engine) ?? [], reader));
  }

  /** @throws {HttpFault} itemNotFound */
  async find(idOrName: string, reader: DatastoreReader): Promise<DatastoreResource> {
    const engine = engineNamed(idOrName);
    const versions = await this.versionsOf([engine], reader);
    return datastoreResource(engine, versions.get(engine) ?? [], reader);
  }

  /** @throws {HttpFault} itemNotFound */
  async versions(idOrName: string, reader: DatastoreReader): Promise<DatastoreVersionResource[]> {
    const engine = engineNamed(idOrName);
    return (await this.versionsOf([engine], reader)).get(engine) ?? [];
  }

  /** @throws {HttpFault} itemNotFound */
  async findVersion(
    asked: { datastore?: string; version: string },
    reader: DatastoreReader,
  ): Promise<DatastoreVersionResource> {
    const engines = asked.datastore === undefined ? allEngines : [engineNamed(asked.datastore)];
    const versions = [...(await this.versionsOf(engines, reader)).values()].flat();
    const isAsked = ({ id, name }: DatastoreVersionResource) =>
      id === asked.version || (asked.datastore !== undefined && name === asked.version);
    const found = versions.find(isAsked);
    if (!found) throw notFound('Datastore version', asked.version);
    return found;
  }

  /** The versions that the engines take backups of, and after them those that the account has besides. */
  private async versionsOf(
    engines: readonly EngineWithoutBackups[],
    reader: DatastoreReader,
  ): Promise<Map<EngineWithoutBackups, DatastoreVersionResource[]>> {
    await this.views.catchUp(reader.accountId);
    const inUse = await this.datastores.ofAccount(reader.accountId, reader.instances);
    return new Map(
      engines.map((engine) => {
        const others = inUse.filter(({ type }) => type === engine.datastoreType).map(({ version }) => version);
        const names = [...new Set([...engine.versions, ...others])];
        return [engine, names.map((name) => versionResource(engine, name, reader))];
      }),
    );
  }
}

/** @throws {HttpFault} itemNotFound */
function engineNamed(idOrName: string): EngineWithoutBackups {
  const engine = engineOfDatastore(idOrName);
  if (!engine) throw notFound('Datastore', idOrName);
  return engine;
}

function datastoreResource(
  { datastoreType, versions: [newest] }: EngineWithoutBackups,
  versions: readonly DatastoreVersionResource[],
  reader: DatastoreReader,
): DatastoreResource {
  const id = datastoreId(datastoreType);
  return {
    id,
    name: datastoreType,
    default_version: versionId({ type: datastoreType, version: newest }),
    versions: versions.map(({ id, name, links }) => ({ id, name, links })),
    links: linksTo(pathOf(getDatastoresId, { accountId: reader.accountId, id }), reader),
  };
}

function versionResource(
  { datastoreType }: EngineWithoutBackups,
  name: string,
  reader: DatastoreReader,
): DatastoreVersionResource {
  const id = versionId({ type: datastoreType, version: name });
  return {
    id,
    name,
    version: name,
    datastore: datastoreId(datastoreType),
    links: linksTo(pathOf(getDatastoresVersionsId, { accountId: reader.accountId, id }), reader),
  };
}

/** The link to a resource with its account and version, and the one without, as known clients expect. */
function linksTo(path: string, { accountId, origin }: DatastoreReader) {
  const withoutAccount = path.slice(pathOf({ path: accountPath }, { accountId }).length);
  return [
    { rel: 'self', href: `${origin}${path}` },
    { rel: 'bookmark', href: `${origin}${withoutAccount}` },
  ];
}

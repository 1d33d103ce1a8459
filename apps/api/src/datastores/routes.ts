/** The routes of datastores: each answers with what there is to know of a kind of database server. */
import { Controller, Inject } from '@nestjs/common';
import {
  getDatastores,
  getDatastoresId,
  getDatastoresIdVersions,
  getDatastoresIdVersionsVersion,
  getDatastoresVersionsId,
} from '@strongroom/contracts';
import type { Asked } from '../edge/asked.js';
import { Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { type DatastoreReader, DatastoreResources } from './resource.js';

@Controller()
export class DatastoreRoutes {
  constructor(
    @Inject(DatastoreResources) private readonly resources: DatastoreResources,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getDatastores)
  async list(asked: Asked) {
    return { datastores: await this.resources.all(this.reader(asked)) };
  }

  @Handles(getDatastoresId)
  async show(asked: Asked) {
    return { datastore: await this.resources.find(asked.id, this.reader(asked)) };
  }

  @Handles(getDatastoresIdVersions)
  async versions(asked: Asked) {
    return { versions: await this.resources.versions(asked.id, this.reader(asked)) };
  }

  @Handles(getDatastoresIdVersionsVersion)
  async version(asked: Asked) {
    const [datastore, version] = [asked.id, asked.part('version')];
    return { version: await this.resources.findVersion({ datastore, version }, this.reader(asked)) };
  }

  @Handles(getDatastoresVersionsId)
  async versionById(asked: Asked) {
    return { version: await this.resources.findVersion({ version: asked.id }, this.reader(asked)) };
  }

  private reader({ caller: { accountId, instances }, request }: Asked): DatastoreReader {
    return { accountId, instances, origin: this.paging.origin(request) };
  }
}

/** The routes of datastores: each answers with what there is to know of a kind of database server. */
import { Controller, Inject, Param, Req } from '@nestjs/common';
import {
  getDatastores,
  getDatastoresId,
  getDatastoresIdVersions,
  getDatastoresIdVersionsVersion,
  getDatastoresVersionsId,
} from '@strongroom/contracts';
import type { FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from '../edge/caller.js';
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
  async list(@CalledBy() caller: Caller, @Req() request: FastifyRequest) {
    return { datastores: await this.resources.all(this.reader(caller, request)) };
  }

  @Handles(getDatastoresId)
  async show(@CalledBy() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return { datastore: await this.resources.find(id, this.reader(caller, request)) };
  }

  @Handles(getDatastoresIdVersions)
  async versions(@CalledBy() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return { versions: await this.resources.versions(id, this.reader(caller, request)) };
  }

  @Handles(getDatastoresIdVersionsVersion)
  async version(
    @CalledBy() caller: Caller,
    @Param('id') datastore: string,
    @Param('version') version: string,
    @Req() request: FastifyRequest,
  ) {
    return { version: await this.resources.findVersion({ datastore, version }, this.reader(caller, request)) };
  }

  @Handles(getDatastoresVersionsId)
  async versionById(@CalledBy() caller: Caller, @Param('id') version: string, @Req() request: FastifyRequest) {
    return { version: await this.resources.findVersion({ version }, this.reader(caller, request)) };
  }

  private reader({ accountId, instances }: Caller, request: FastifyRequest): DatastoreReader {
    return { accountId, instances, origin: this.paging.origin(request) };
  }
}

/** The routes of backups: each parses what it was sent, runs a command, and answers with a resource. */
import { Body, Controller, Headers, Inject, Param, Req, Res } from '@nestjs/common';
import {
  createBackupRequest,
  datastoreType,
  deleteBackupsId,
  getBackups,
  getBackupsId,
  getInstancesIdBackups,
  postBackups,
} from '@strongroom/contracts';
import { type BackupFilter, backupStatuses } from '@strongroom/read-model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { engineOfDatastore } from '../datastores/resource.js';
import { CalledBy, type Caller } from '../edge/caller.js';
import { HttpFault, quoted } from '../edge/http-fault.js';
import { instanceFilter, Paging, queryValue } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { tagWith } from '../edge/preconditions.js';
import { Handles } from '../edge/routing.js';
import { InstanceResources } from '../instances/resource.js';
import { BackupCommands } from './commands.js';
import { BackupResources } from './resource.js';

@Controller()
export class BackupRoutes {
  constructor(
    @Inject(BackupCommands) private readonly commands: BackupCommands,
    @Inject(BackupResources) private readonly resources: BackupResources,
    @Inject(InstanceResources) private readonly instances: InstanceResources,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(postBackups)
  async create(@CalledBy() caller: Caller, @Body() body: unknown) {
    return this.resources.made(await this.commands.request(caller, parseBody(createBackupRequest, body).backup));
  }

  @Handles(getBackups)
  list(@CalledBy() { accountId }: Caller, @Req() request: FastifyRequest) {
    return this.page(accountId, request, instanceFilter(request));
  }

  @Handles(getInstancesIdBackups)
  async ofInstance(@CalledBy() { accountId }: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    const { id: instanceId } = await this.instances.find(accountId, idInPath('Instance', id));
    return this.page(accountId, request, instanceId);
  }

  @Handles(getBackupsId)
  async show(
    @CalledBy() { accountId }: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const row = await this.resources.find(accountId, idInPath('Backup', id));
    tagWith(reply, row);
    return this.resources.of(row);
  }

  @Handles(deleteBackupsId)
  remove(
    @CalledBy() caller: Caller,
    @Param('id') id: string,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    return this.commands.remove(caller, idInPath('Backup', id), ifMatch);
  }

  private page(accountId: string, request: FastifyRequest, instanceId: string | undefined) {
    return this.paging.answer(request, 'backups', (page) =>
      this.resources.page(accountId, { ...page, instanceId, ...filtersOf(request) }),
    );
  }
}

function filtersOf(request: FastifyRequest): Pick<BackupFilter, 'status' | 'datastoreType'> {
  const asked = queryValue(request, 'datastore');
  const engine = asked === undefined ? undefined : engineOfDatastore(asked);
  if (asked !== undefined && !engine) {
    throw new HttpFault(
      'itemNotFound',
      `Datastore ${quoted(asked)} is not known here; there is: ${datastoreType.options.join(', ')}.`,
    );
  }
  const state = queryValue(request, 'status');
  const status = backupStatuses.find((each) => each === state);
  if (state !== undefined && !status) {
    throw new HttpFault('badRequest', `status: must be one of ${backupStatuses.join(', ')}.`);
  }
  return { datastoreType: engine?.datastoreType, status };
}

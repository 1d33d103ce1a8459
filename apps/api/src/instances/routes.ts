/** Instances: register an existing server or have one built from a backup, list, show, forget. */
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { instanceActionRequest, registerInstanceRequest, restoreInstanceRequest } from '@strongroom/contracts';
import { engineFor } from '@strongroom/engines';
import type { InstanceRow } from '@strongroom/read-model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Commands } from '../commands.js';
import { CalledBy, type Caller } from '../edge/caller.js';
import { HttpFault } from '../edge/http-fault.js';
import { Paging, unknownMarker } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { expectedVersion, tagWith } from '../edge/preconditions.js';
import { Reads } from '../reads.js';
import { shownInstance } from '../shown.js';

const defaultTls = 'disable';

@Controller('v1.0/:accountId/instances')
export class InstancesController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Reads) private readonly reads: Reads,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Post()
  @HttpCode(200)
  async register(@CalledBy() caller: Caller, @Body() body: unknown) {
    if (asksForRestore(body)) return this.restore(caller, body);
    const { name, datastore, connection } = parseBody(registerInstanceRequest, body).instance;
    const { usual } = engineFor(datastore.type);
    const { password, database = usual.database, tls = defaultTls, ...address } = connection;
    const instanceId = this.commands.newId(caller);
    const endpoint = { ...address, database, tls };
    await this.commands.registerInstance(
      caller,
      { type: 'RegisterInstance', instanceId, name, datastore, endpoint },
      password,
    );
    return shownInstance(this.reads, caller.accountId, instanceId);
  }

  @Get()
  async list(@CalledBy() { accountId }: Caller, @Req() request: FastifyRequest) {
    const asked = this.paging.asked(request, 'instances');
    if (asked.marker !== undefined) await this.knownMarker(accountId, asked.marker);
    const { items, more } = await this.reads.instancePage(accountId, asked);
    const instances = await this.reads.instanceResources(accountId, items);
    return { instances, links: this.paging.links(request, { more, last: items.at(-1)?.id }) };
  }

  @Get(':id')
  async show(
    @CalledBy() { accountId }: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const row = await this.reads.instance(accountId, idInPath('Instance', id));
    tagWith(reply, row);
    const [instance] = await this.reads.instanceResources(accountId, [row]);
    return { instance };
  }

  @Delete(':id')
  @HttpCode(202)
  async remove(@CalledBy() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    const row = await this.reads.instance(caller.accountId, idInPath('Instance', id));
    const ifVersion = expectedVersion(request, row);
    await this.commands.forgetInstance(caller, row, await this.reads.scheduleOf(row), ifVersion);
  }

  @Post(':id/action')
  @HttpCode(202)
  async act(@CalledBy() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<void> {
    const row = await this.reads.instance(caller.accountId, idInPath('Instance', id));
    if (!asksFor('accept-lineage', body)) return this.refuseAction(row);
    const { lineage } = parseBody(instanceActionRequest, body)['accept-lineage'];
    // What it leads to is that backups are deleted, in time.
    if (!caller.mayDelete)
      throw new HttpFault('forbidden', "accept-lineage: the token's roles do not allow it, nor DELETE.");
    await this.commands.acceptLineage(caller, row, lineage, await this.reads.lineagesOf(row.id));
  }

  private async refuseAction({ id }: InstanceRow): Promise<never> {
    if (await this.reads.isBackedUp(id)) {
      throw new HttpFault('unprocessableEntity', `Instance ${id} is being backed up: its status is BACKUP.`);
    }
    throw new HttpFault(
      'notImplemented',
      'Strongroom backs servers up; to resize, restart or change one is not its to do. It has accept-lineage.',
    );
  }

  private async restore(caller: Caller, body: unknown) {
    const { name, restorePoint } = parseBody(restoreInstanceRequest, body).instance;
    const backup = await this.reads.backup(caller.accountId, restorePoint.backupRef);
    if (backup.status !== 'COMPLETED') {
      throw new HttpFault(
        'conflict',
        `Backup ${backup.id} is ${backup.status}: only one that has completed can be restored.`,
      );
    }
    const instanceId = await this.commands.buildInstance(caller, backup, name);
    return shownInstance(this.reads, caller.accountId, instanceId);
  }

  private async knownMarker(accountId: string, marker: string): Promise<void> {
    await this.reads.instance(accountId, marker).catch((error: unknown) => {
      throw error instanceof HttpFault && error.type === 'itemNotFound' ? unknownMarker(marker) : error;
    });
  }
}

function asksFor(action: string, body: unknown): boolean {
  return typeof body === 'object' && body !== null && action in body;
}

function asksForRestore(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('instance' in body)) return false;
  const { instance } = body;
  if (typeof instance !== 'object' || instance === null || !('restorePoint' in instance)) return false;
  return instance.restorePoint !== null;
}

/** Backups: take one now, list, show; and their copies. */
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { createBackupRequest, datastoreType } from '@strongroom/contracts';
import type { BackupFilter } from '@strongroom/read-model';
import { backupStatuses } from '@strongroom/read-model';
import type { FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from './caller.js';
import { Commands } from './commands.js';
import { Fault, quoted } from './fault.js';
import { instanceFilter, linksOf, mostOf, pageOf, queryValue, unknownMarker } from './paging.js';
import { idInPath, parseBody } from './parse.js';
import { Reads } from './reads.js';

@Controller('v1.0/:accountId')
export class BackupsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Reads) private readonly reads: Reads,
  ) {}

  @Post('backups')
  @HttpCode(202)
  async create(@CalledBy() caller: Caller, @Body() body: unknown) {
    const asked = parseBody(createBackupRequest, body).backup;
    const copyTo = asked.copy_to ?? [];
    this.commands.checkRegions('backup.copy_to', copyTo);
    const instance = await this.reads.instance(caller.accountId, asked.instance);
    if (asked.parent_id !== undefined || asked.incremental) {
      if (asked.parent_id !== undefined) await this.reads.backup(caller.accountId, asked.parent_id);
      throw new Fault(
        'unprocessableEntity',
        `backup.parent_id: the engine for ${instance.datastoreType} takes full backups only in this version. Leave parent_id and incremental out.`,
      );
    }
    const id = await this.commands.requestBackup(caller, instance, {
      scheduleId: null,
      trigger: 'request',
      name: asked.name,
      description: asked.description ?? null,
      copyTo,
    });
    return this.shown(caller.accountId, id);
  }

  @Get('backups')
  list(@CalledBy() { accountId }: Caller, @Req() request: FastifyRequest) {
    return this.page(accountId, request, { instanceId: instanceFilter(request) });
  }

  @Get('instances/:id/backups')
  async ofInstance(@CalledBy() { accountId }: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    const { id: instanceId } = await this.reads.instance(accountId, idInPath('Instance', id));
    return this.page(accountId, request, { instanceId });
  }

  @Get('backups/:id')
  show(@CalledBy() { accountId }: Caller, @Param('id') id: string) {
    return this.shown(accountId, idInPath('Backup', id));
  }

  @Get('backups/:id/copies')
  async copies(@CalledBy() { accountId }: Caller, @Param('id') id: string) {
    const row = await this.reads.backup(accountId, idInPath('Backup', id));
    return { copies: (await this.reads.copyResources([row])).get(row.id) ?? [], links: [] };
  }

  private async page(accountId: string, request: FastifyRequest, filter: BackupFilter) {
    const asked = pageOf(request, mostOf.backups);
    const page = await this.reads.backupPage(accountId, { ...asked, ...filter, ...filtersOf(request) });
    if (!page) throw unknownMarker(asked.marker ?? '');
    const backups = await this.reads.backupResources(page.items);
    return { backups, links: linksOf(request, { more: page.more, last: page.items.at(-1)?.id }) };
  }

  private async shown(accountId: string, id: string) {
    const [backup] = await this.reads.backupResources([await this.reads.backup(accountId, id)]);
    return { backup };
  }
}

function filtersOf(request: FastifyRequest): Pick<BackupFilter, 'status' | 'datastoreType'> {
  const datastore = queryValue(request, 'datastore');
  if (datastore !== undefined && !datastoreType.safeParse(datastore).success) {
    throw new Fault(
      'itemNotFound',
      `Datastore ${quoted(datastore)} is not known here; there is: ${datastoreType.options.join(', ')}.`,
    );
  }
  const asked = queryValue(request, 'status');
  const status = backupStatuses.find((each) => each === asked);
  if (asked !== undefined && !status)
    throw new Fault('badRequest', `status: must be one of ${backupStatuses.join(', ')}.`);
  return { datastoreType: datastore, status };
}

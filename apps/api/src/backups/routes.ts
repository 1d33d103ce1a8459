/** Backups: take one now, list, show, copy, delete; and their copies. */
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { backupActionRequest, createBackupRequest, datastoreType } from '@strongroom/contracts';
import type { BackupFilter } from '@strongroom/read-model';
import { backupStatuses } from '@strongroom/read-model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Commands } from '../commands.js';
import { CalledBy, type Caller } from '../edge/caller.js';
import { HttpFault, quoted } from '../edge/http-fault.js';
import { instanceFilter, Paging, queryValue, unknownMarker } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { expectedVersion, tagWith } from '../edge/preconditions.js';
import { Reads } from '../reads.js';
import { shownBackup } from '../shown.js';
import { Incrementals } from './incrementals.js';

const nothingThere = {
  ground: 'nothing-to-build-on',
  reason: 'When it was asked for there was no completed backup of the instance to build on.',
};

@Controller('v1.0/:accountId')
export class BackupsController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Reads) private readonly reads: Reads,
    @Inject(Incrementals) private readonly incrementals: Incrementals,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Post('backups')
  @HttpCode(202)
  async create(@CalledBy() caller: Caller, @Body() body: unknown) {
    const asked = parseBody(createBackupRequest, body).backup;
    const copyTo = asked.copy_to ?? [];
    this.commands.checkRegions('backup.copy_to', copyTo);
    const instance = await this.reads.activeInstance(caller.accountId, asked.instance);
    const parentId = await this.incrementals.parentFor(instance, asked);
    await this.parentIsIn(caller, parentId, copyTo, 'backup.copy_to');
    if (parentId !== null) await this.incrementals.mustBePossible(instance, asked);
    const id = await this.commands.requestBackup(caller, instance, {
      scheduleId: null,
      trigger: 'request',
      name: asked.name,
      description: asked.description ?? null,
      copyTo,
      type: parentId === null ? 'full' : 'incremental',
      parentId,
      ...(parentId === null && asked.incremental && { madeFull: nothingThere }),
    });
    return shownBackup(this.reads, caller.accountId, id);
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
  async show(
    @CalledBy() { accountId }: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const row = await this.reads.backup(accountId, idInPath('Backup', id));
    tagWith(reply, row);
    const [backup] = await this.reads.backupResources([row]);
    return { backup };
  }

  @Delete('backups/:id')
  @HttpCode(202)
  async remove(@CalledBy() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    const row = await this.reads.backup(caller.accountId, idInPath('Backup', id));
    const chain = await this.reads.chainBelow(row);
    await this.commands.deleteBackup(caller, chain, expectedVersion(request, row));
  }

  @Post('backups/:id/action')
  @HttpCode(202)
  async act(@CalledBy() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<void> {
    const { target_backup_region: region } = parseBody(backupActionRequest, body)['copy-backup'];
    const field = 'copy-backup.target_backup_region';
    this.commands.checkTarget(field, region);
    const row = await this.reads.backup(caller.accountId, idInPath('Backup', id));
    this.commands.checkTarget(field, region, row);
    await this.parentIsIn(caller, row.parentId, [region], field);
    const holding = await this.reads.regionsHolding(caller.accountId, row.id);
    const source = holding.find((each) => each !== region);
    await this.commands.requestCopy(caller, row, region, source);
  }

  @Get('backups/:id/copies')
  async copies(@CalledBy() { accountId }: Caller, @Param('id') id: string) {
    const row = await this.reads.backup(accountId, idInPath('Backup', id));
    return { copies: (await this.reads.copyResources([row])).get(row.id) ?? [], links: [] };
  }

  /** @throws {HttpFault} badRequest when a region does not hold the backup that a copy would be built on */
  private async parentIsIn(
    { accountId }: Caller,
    parentId: string | null,
    regions: readonly string[],
    field: string,
  ): Promise<void> {
    if (parentId === null || regions.length === 0) return;
    const held = await this.reads.regionsHolding(accountId, parentId);
    const wrong = regions.find((region) => !held.includes(region));
    if (wrong === undefined) return;
    throw new HttpFault(
      'badRequest',
      `${field}: ${wrong} does not hold backup ${parentId}, which this one is built on. Copy that one there first.`,
    );
  }

  private async page(accountId: string, request: FastifyRequest, filter: BackupFilter) {
    const asked = this.paging.asked(request, 'backups');
    const page = await this.reads.backupPage(accountId, { ...asked, ...filter, ...filtersOf(request) });
    if (!page) throw unknownMarker(asked.marker ?? '');
    const backups = await this.reads.backupResources(page.items);
    return { backups, links: this.paging.links(request, { more: page.more, last: page.items.at(-1)?.id }) };
  }
}

function filtersOf(request: FastifyRequest): Pick<BackupFilter, 'status' | 'datastoreType'> {
  const datastore = queryValue(request, 'datastore');
  if (datastore !== undefined && !datastoreType.safeParse(datastore).success) {
    throw new HttpFault(
      'itemNotFound',
      `Datastore ${quoted(datastore)} is not known here; there is: ${datastoreType.options.join(', ')}.`,
    );
  }
  const asked = queryValue(request, 'status');
  const status = backupStatuses.find((each) => each === asked);
  if (asked !== undefined && !status)
    throw new HttpFault('badRequest', `status: must be one of ${backupStatuses.join(', ')}.`);
  return { datastoreType: datastore, status };
}

/** Schedules: create, list, show, change, run now, delete; and what became of their slots. */
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Req, Res } from '@nestjs/common';
import { type CreateScheduleRequest, createScheduleRequest, updateScheduleRequest } from '@strongroom/contracts';
import { backupName } from '@strongroom/domain';
import { Clock } from '@strongroom/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Commands } from '../commands.js';
import { CalledBy, type Caller } from '../edge/caller.js';
import { HttpFault } from '../edge/http-fault.js';
import { instanceFilter, Paging, unknownMarker } from '../edge/paging.js';
import { idInPath, parseBody } from '../edge/parse.js';
import { expectedVersion, tagWith } from '../edge/preconditions.js';
import { Reads } from '../reads.js';
import { shownSchedule } from '../shown.js';

const defaultRetention = 2;

@Controller('v1.0/:accountId/schedules')
export class SchedulesController {
  constructor(
    @Inject(Commands) private readonly commands: Commands,
    @Inject(Reads) private readonly reads: Reads,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Post()
  @HttpCode(202)
  async create(@CalledBy() caller: Caller, @Body() body: unknown) {
    const { accountId } = caller;
    const asked = parseBody(createScheduleRequest, body).schedule;
    const instanceId = instanceOf(asked);
    const copyTo = asked.copy_to ?? [];
    this.commands.checkRegions('schedule.copy_to', copyTo);
    const row = await this.reads.activeInstance(accountId, instanceId);
    const scheduleId = this.commands.newId(caller);
    await this.commands.createSchedule(caller, {
      scheduleId,
      instanceId,
      instance: row,
      definition: {
        dayOfWeek: asked.day_of_week,
        hour: asked.hour,
        minute: asked.minute,
        fullBackupRetention: asked.full_backup_retention ?? defaultRetention,
        copyTo,
        paused: false,
      },
    });
    return shownSchedule(this.reads, accountId, scheduleId);
  }

  @Get()
  async list(@CalledBy() { accountId }: Caller, @Req() request: FastifyRequest) {
    const asked = this.paging.asked(request, 'schedules');
    if (asked.marker !== undefined) await this.knownMarker(accountId, asked.marker);
    const { items, more } = await this.reads.schedulePage(accountId, { ...asked, instanceId: instanceFilter(request) });
    const schedules = await this.reads.scheduleResources(items);
    return { schedules, links: this.paging.links(request, { more, last: items.at(-1)?.id }) };
  }

  @Get(':id')
  async show(
    @CalledBy() { accountId }: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const shown = await shownSchedule(this.reads, accountId, idInPath('Schedule', id));
    if (shown.schedule) tagWith(reply, shown.schedule);
    return shown;
  }

  @Put(':id')
  @HttpCode(202)
  async change(
    @CalledBy() caller: Caller,
    @Param('id') id: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const { accountId } = caller;
    const scheduleId = idInPath('Schedule', id);
    const { run_now: runNow, ...asked } = parseBody(updateScheduleRequest, body).schedule;
    const changes = {
      ...(asked.day_of_week !== undefined && { dayOfWeek: asked.day_of_week }),
      ...(asked.hour !== undefined && { hour: asked.hour }),
      ...(asked.minute !== undefined && { minute: asked.minute }),
      ...(asked.full_backup_retention !== undefined && { fullBackupRetention: asked.full_backup_retention }),
      ...(asked.copy_to !== undefined && { copyTo: asked.copy_to }),
      ...(asked.paused !== undefined && { paused: asked.paused }),
    };
    await this.commands.changeSchedule(caller, async () => {
      const schedule = await this.reads.schedule(accountId, scheduleId);
      // A list that was right when it was made is no mistake of whoever sends it back with another field.
      if (changes.copyTo && !sameRegions(changes.copyTo, schedule.copyTo)) {
        this.commands.checkRegions('schedule.copy_to', changes.copyTo);
      }
      if (Object.keys(changes).length === 0 && !runNow) {
        throw new HttpFault(
          'badRequest',
          'schedule: nothing is asked for. Send a field to change, or "run_now": true.',
        );
      }
      const ifVersion = expectedVersion(request, schedule);
      const run = runNow ? await this.runNow(caller, { ...schedule, ...changes }) : undefined;
      // A client that sends every field with each run changes nothing by it.
      const isChange = differs(changes, schedule) || !run;
      return { schedule, changes: isChange ? changes : undefined, run, ifVersion };
    });
  }

  @Delete(':id')
  @HttpCode(202)
  async remove(@CalledBy() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    const row = await this.reads.schedule(caller.accountId, idInPath('Schedule', id));
    await this.commands.deleteSchedule(caller, row, expectedVersion(request, row));
  }

  @Get(':id/runs')
  async runs(@CalledBy() { accountId }: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    const row = await this.reads.schedule(accountId, idInPath('Schedule', id));
    const asked = this.paging.asked(request, 'runs');
    const page = await this.reads.runPage(row, asked);
    if (!page) throw unknownMarker(asked.marker ?? '');
    return { runs: page.items, links: this.paging.links(request, { more: page.more, last: page.items.at(-1)?.id }) };
  }

  private async runNow(caller: Caller, schedule: { id: string; instanceId: string; copyTo: string[] }) {
    const instance = await this.reads.activeInstance(caller.accountId, schedule.instanceId);
    const stamp = `${this.clock.now().toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}Z`;
    const asked = {
      scheduleId: schedule.id,
      trigger: 'run-now',
      name: backupName(instance.name, stamp),
      description: null,
      copyTo: schedule.copyTo,
      type: 'full',
      parentId: null,
    } as const;
    return { instance, asked };
  }

  private async knownMarker(accountId: string, marker: string): Promise<void> {
    await this.reads.schedule(accountId, marker).catch((error: unknown) => {
      throw error instanceof HttpFault && error.type === 'itemNotFound' ? unknownMarker(marker) : error;
    });
  }
}

function instanceOf({ instance_id, source_id, source_type }: CreateScheduleRequest): string {
  if (source_type === 'ha') {
    throw new HttpFault(
      'notImplemented',
      'schedule.source_type: "ha" is not implemented: there are no HA groups yet. Schedule an instance.',
    );
  }
  const id = instance_id ?? source_id;
  if (id === undefined)
    throw new HttpFault('badRequest', 'schedule.instance_id: is required, or source_id in its place.');
  if (source_id !== undefined && source_id !== id) {
    throw new HttpFault('badRequest', 'schedule.source_id: must be the same as instance_id when both are given.');
  }
  return id;
}

function sameRegions(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((region) => others.includes(region));
}

function differs<T extends object>(changes: T, row: object): boolean {
  const current = new Map<string, unknown>(Object.entries(row));
  return Object.entries(changes).some(([field, value]) => JSON.stringify(current.get(field)) !== JSON.stringify(value));
}

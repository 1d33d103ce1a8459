/** Commands for the controllers: decided and on disk when they return, or refused with the contract's fault. */
import { isRefusal, type RecordedEvent } from '@strongroom/contracts';
import type { Credentials } from '@strongroom/credentials';
import {
  type BackupCommand,
  backupDecider,
  type InstanceCommand,
  instanceDecider,
  type ScheduleCommand,
  scheduleDecider,
} from '@strongroom/domain';
import { type Executed, execute, type Ledger } from '@strongroom/ledger';
import type { InstanceRow } from '@strongroom/read-model';
import type { AppConfig, Ids } from '@strongroom/runtime';
import type { Caller } from './caller.js';
import { Fault, quoted, refused } from './fault.js';

export interface BackupAsked {
  scheduleId: string | null;
  trigger: 'run-now' | 'request';
  name: string;
  description: string | null;
  copyTo: string[];
}

export class Commands {
  constructor(
    private readonly ledger: Ledger,
    readonly ids: Ids,
    private readonly credentials: Credentials,
    private readonly config: Pick<AppConfig, 'homeRegion' | 'copyRegions'>,
  ) {}

  /** The password first: an instance without one could not be backed up; one that no instance names harms nobody. */
  async registerInstance(caller: Caller, command: InstanceCommand, password: string): Promise<void> {
    const { instanceId } = command;
    await this.credentials.put(instanceId, { password });
    const { ledger, ids } = this;
    const target = { ...caller, id: instanceId, instanceId };
    const outcome = await execute({ ledger, ids }, instanceDecider, target, command);
    if (!isRefusal(outcome)) return;
    await this.credentials.remove(instanceId);
    throw refused(outcome);
  }

  async onSchedule(
    caller: Caller,
    scheduleId: string,
    instanceId: string,
    command: ScheduleCommand,
  ): Promise<RecordedEvent[]> {
    const { ledger, ids } = this;
    return done(await execute({ ledger, ids }, scheduleDecider, { ...caller, id: scheduleId, instanceId }, command));
  }

  /** @returns the backup's id */
  async requestBackup(
    caller: Caller,
    { id: instanceId, datastoreType, datastoreVersion }: InstanceRow,
    asked: BackupAsked,
  ): Promise<string> {
    const { ledger, ids } = this;
    const backupId = ids.next();
    const command: BackupCommand = {
      type: 'RequestBackup',
      request: {
        ...asked,
        backupId,
        instanceId,
        slotAt: null,
        type: 'full',
        parentId: null,
        datastore: { type: datastoreType, version: datastoreVersion },
      },
    };
    done(await execute({ ledger, ids }, backupDecider, { ...caller, id: backupId, instanceId }, command));
    return backupId;
  }

  /** @throws {Fault} badRequest naming the region, why not, and which regions are allowed */
  checkRegions(field: string, regions: readonly string[]): void {
    const { homeRegion, copyRegions } = this.config;
    const wrong = regions.find((region) => !copyRegions.includes(region));
    if (wrong === undefined) return;
    const why =
      wrong === homeRegion ? 'is the home region, where the backup is made' : 'is no region of this deployment';
    throw new Fault('badRequest', `${field}: ${quoted(wrong)} ${why}. Allowed: ${copyRegions.join(', ')}.`);
  }
}

function done(outcome: Executed | Parameters<typeof refused>[0]): RecordedEvent[] {
  if (isRefusal(outcome)) throw refused(outcome);
  return outcome.events;
}

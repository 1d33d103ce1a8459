/**
 * Why something is as it is, as the API tells it. Everything is read from the ledger's events, and nothing from the views. So it is answered
 * for a past instant as for now, and an account whose views can't be folded gets its answer too.
 */
import { Inject } from '@nestjs/common';
import {
  type Aggregate,
  aggregateOf,
  aggregateOfEvent,
  aggregates,
  type ExplainedSentence,
  type ExplanationResource,
  idOf,
  type RecordedEvent,
  type StreamName,
  streamOf,
} from '@strongroom/contracts';
import { copyId, explainedEvent, summaryOf } from '@strongroom/domain';
import { type EventsAsked, ExplainingEvents } from '@strongroom/ledger';
import { type AppConfig, Clock, configToken, shownName } from '@strongroom/runtime';
import { type Reach, reaches } from '../edge/caller.js';
import { notFound } from '../edge/http-fault.js';
import type { PageAsked } from '../edge/paging.js';
import { idInPath } from '../edge/parse.js';
import { utc } from '../edge/times.js';

/** A sentence, with the id by which a page goes on. */
interface Item {
  id: string;
  told: ExplainedSentence;
}

export interface FoundExplanation {
  told: Omit<ExplanationResource, 'sentences'>;
  /** A page of its sentences, the oldest first. @returns undefined when the marker is the id of no event of the account */
  sentences(asked: PageAsked): Promise<{ items: Item[]; more: boolean } | undefined>;
}

export class Explanations {
  constructor(
    @Inject(ExplainingEvents) private readonly events: ExplainingEvents,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(configToken) private readonly config: AppConfig,
  ) {}

  /**
   * @param asOf the latest instant of which something may be known; undefined for now
   * @throws {HttpFault} itemNotFound when nothing of the id was known then to who asks
   */
  async find(reach: Reach, asked: string, asOf: Date | undefined): Promise<FoundExplanation> {
    const id = idInPath(what, asked);
    const all = await this.events.newestOfTypes(
      aggregates.map((kind) => streamOf(kind, id)),
      asOf,
    );
    const own = all.filter(({ accountId, instanceId }) => accountId === reach.accountId && reaches(reach, instanceId));
    const kind = own[0] && aggregateOf(own[0].stream);
    if (!kind) throw notFound(what, id);
    const copyStreams = kind === 'backup' ? this.copyStreams(id, own) : [];
    const definition = definitionIn(own);
    const now = asOf ?? this.clock.now();
    const others = await this.events.newestOfTypes([...copyStreams, ...scheduleStreams(kind, own)], asOf);
    const othersOf = (other: Aggregate) => others.filter(({ stream }) => aggregateOf(stream) === other);
    const explained = {
      ...{ kind, own, copies: othersOf('copy'), schedule: othersOf('schedule') },
      pause: definition?.paused ? await this.events.pauseOf(streamOf(kind, id), asOf) : [],
    };
    return {
      told: {
        ...{ id, kind, as_of: utc(now) },
        summary: summaryOf(explained, now, shownName),
        definition,
      },
      sentences: (page) => this.page(reach.accountId, { kind, id, copyStreams, asOf }, page),
    };
  }

  private async page(
    accountId: string,
    { kind, id, copyStreams, asOf }: { kind: Aggregate; id: string; copyStreams: StreamName[]; asOf: Date | undefined },
    { limit, marker }: PageAsked,
  ): Promise<{ items: Item[]; more: boolean } | undefined> {
    const before = marker === undefined ? undefined : await this.events.placeOf(accountId, marker);
    if (marker !== undefined && !before) return undefined;
    const asked: EventsAsked = { asOf, before, limit: limit + 1 };
    const found =
      kind === 'schedule'
        ? await this.events.ofSchedule(id, asked)
        : await this.events.ofStreams([streamOf(kind, id), ...copyStreams], asked);
    return { items: found.slice(0, limit).reverse().map(itemOf), more: found.length > limit };
  }

  /** A copy is found by its region: the backup was owed to some, and may have been copied to others. */
  private copyStreams(backupId: string, own: readonly RecordedEvent[]): StreamName[] {
    const owed = own.flatMap(({ type, data }) =>
      type === 'BackupRequested' || type === 'BackupCompleted' ? data.copyTo : [],
    );
    const { homeRegion, copyRegions } = this.config;
    const regions = new Set([...owed, homeRegion, ...copyRegions]);
    return [...regions].map((region) => streamOf('copy', copyId(backupId, region)));
  }
}

const what = 'A schedule, backup, copy, instance or webhook';

/** The schedule whose rule says whether retention deletes the backup. */
function scheduleStreams(kind: Aggregate, own: readonly RecordedEvent[]): StreamName[] {
  if (kind !== 'backup') return [];
  return own.flatMap(({ type, data }) =>
    type === 'BackupRequested' && data.scheduleId !== null ? streamOf('schedule', data.scheduleId) : [],
  );
}

function definitionIn(own: readonly RecordedEvent[]): ExplanationResource['definition'] {
  const newest = own.toSorted((one, other) => one.version - other.version).at(-1);
  if (newest?.type !== 'ScheduleCreated' && newest?.type !== 'ScheduleUpdated') return null;
  const { instanceId, dayOfWeek, hour, minute, fullBackupRetention, copyTo, paused } = newest.data;
  return {
    since: newest.at,
    instance_id: instanceId,
    day_of_week: dayOfWeek,
    ...{ hour, minute },
    full_backup_retention: fullBackupRetention,
    copy_to: copyTo,
    paused,
  };
}

function itemOf(event: RecordedEvent): Item {
  const { id, type, at, stream } = event;
  const subject = { kind: aggregateOfEvent[type], id: idOf(stream) };
  return { id, told: { ...explainedEvent(event, shownName), event: { id, type, at, subject } } };
}
